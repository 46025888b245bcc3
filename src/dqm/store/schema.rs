//! Layout of the database and its changes over the versions.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

/// Version of the layout (`PRAGMA user_version`).
pub const VERSION: i64 = MIGRATIONS.len() as i64;

/// Statement lists that lead from each version to the next; the first makes the tables of an empty file.
const MIGRATIONS: [&str; 1] = [LAYOUT_1];

/// Spec 06 §12.
const LAYOUT_1: &str = "
CREATE TABLE runs(run_id INTEGER PRIMARY KEY, number INTEGER NOT NULL, tag TEXT NOT NULL DEFAULT '',
  start_utc TEXT, end_utc TEXT, data_dir TEXT, out_dir TEXT, n_images INTEGER, nskips TEXT, status TEXT NOT NULL,
  image_hr TEXT, ref_run INTEGER, ref_path TEXT, tool TEXT, config_json TEXT, me_config_json TEXT,
  n_masked INTEGER, mask_path TEXT, updated_utc TEXT, UNIQUE(number,tag));
CREATE TABLE images(image_id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  number INTEGER, file TEXT NOT NULL, file_number INTEGER, file_size INTEGER, file_mtime_ns INTEGER, ccd INTEGER,
  nrows INTEGER, ncols INTEGER, nskips INTEGER, npbin INTEGER, nsbin INTEGER, texp_s REAL, tread_s REAL,
  start_utc TEXT, end_utc TEXT, t_k REAL, t_err REAL, p REAL, p_err REAL, is_hr INTEGER, status TEXT NOT NULL,
  error TEXT, processed_utc TEXT, UNIQUE(run_id,file));
CREATE TABLE mes(me_id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, scope TEXT, title TEXT, caption TEXT,
  xlabel TEXT, ylabel TEXT, unit TEXT);
CREATE TABLE me_values(value_id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  image_id INTEGER REFERENCES images ON DELETE CASCADE,           -- NULL: run level
  ccd INTEGER, amplifier TEXT NOT NULL, me_id INTEGER NOT NULL REFERENCES mes,
  scalar REAL, scalar_err REAL, p25 REAL, p75 REAL, n INTEGER,    -- scalar: S value, else median of y
  x BLOB, y BLOB, xerr BLOB, yerr BLOB, yfit BLOB, goodness REAL,
  slope REAL, slope_err REAL, intercept REAL, intercept_err REAL, extra_json TEXT, plot TEXT, status TEXT NOT NULL);
CREATE UNIQUE INDEX me_values_key ON me_values(run_id,COALESCE(image_id,0),COALESCE(ccd,-1),amplifier,me_id);
CREATE INDEX me_values_trend ON me_values(me_id,amplifier,run_id);
CREATE TABLE me_tests(test_id INTEGER PRIMARY KEY, value_id INTEGER NOT NULL REFERENCES me_values ON DELETE CASCADE,
  name TEXT NOT NULL, flag TEXT NOT NULL, result INTEGER, value REAL, cut REAL, ref_run INTEGER, details_json TEXT);
CREATE TABLE watch_files(path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, state TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0, run_number INTEGER, image_number INTEGER, error TEXT, updated_utc TEXT);
CREATE VIEW trend AS SELECT r.number AS run, r.tag, m.name AS me, v.ccd, v.amplifier, i.number AS image, i.start_utc,
  v.scalar, v.scalar_err, v.slope, v.intercept, v.status FROM me_values v JOIN runs r USING(run_id) JOIN mes m USING(me_id)
  LEFT JOIN images i USING(image_id);
-- Without these, replacing an image looks at every value and test of all runs.
CREATE INDEX me_values_image ON me_values(image_id);
CREATE INDEX me_tests_value ON me_tests(value_id);
";

/// Brings the layout up to date. Another process may do the same at the same moment: all looking and changing is in one
/// immediate transaction.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::Sqlite {
        path: path.to_owned(),
        action: "the layout of the database cannot be read or made",
        source,
    };
    if version(connection).map_err(failed)? == VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let found = version(&transaction).map_err(failed)?;
    if found > VERSION {
        return Err(StoreError::Newer { path: path.to_owned(), found });
    }
    if found <= 0 {
        let table: Option<String> = transaction
            .query_row("SELECT name FROM sqlite_schema ORDER BY rowid LIMIT 1", [], |row| row.get(0))
            .map(Some)
            .or_else(|e| if e == rusqlite::Error::QueryReturnedNoRows { Ok(None) } else { Err(e) })
            .map_err(failed)?;
        if let Some(table) = table {
            return Err(StoreError::Foreign { path: path.to_owned(), table });
        }
    }
    let done = usize::try_from(found).unwrap_or(0);
    for (step, statements) in MIGRATIONS.iter().enumerate().skip(done) {
        transaction.execute_batch(statements).map_err(failed)?;
        transaction.pragma_update(None, "user_version", step as i64 + 1).map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}
