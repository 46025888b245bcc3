//! The database of the monitor: all runs of an output directory in one SQLite file (spec 06 §12).
//!
//! | table | one row per |
//! |---|---|
//! | `runs` | run, found by number and tag |
//! | `images` | input file of a run |
//! | `mes` | monitor element |
//! | `me_values` | monitor element × amplifier × image, or × run (`image_id` is NULL) |
//! | `me_tests` | test of such a value |
//! | `watch_files` | file seen by the watch mode |
//!
//! The view `trend` joins them for questions such as "the dark current of amplifier L over the runs". Arrays are
//! little-endian `f64`; a missing value is a NaN.
//!
//! Several processes may write at once: the file is in WAL mode, every image is one immediate transaction, and a writer
//! waits up to [`BUSY_TIMEOUT`] for its turn. An image that is recorded again replaces its rows. A killed process leaves
//! complete images only.

mod blob;
mod listener;
mod read;
mod schema;
mod write;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

pub use listener::StoreListener;
pub use read::StoredRun;
pub use schema::VERSION;

/// How long a writer waits for another one.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(60);

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory of the file cannot be made.
    #[error("{}: the directory of the database cannot be made: {source}", path.display())]
    Directory {
        /// Database file.
        path: PathBuf,
        /// Reason.
        source: std::io::Error,
    },
    /// SQLite reports an error.
    #[error("{}: {action}: {source}", path.display())]
    Sqlite {
        /// Database file.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
        /// Reason.
        source: rusqlite::Error,
    },
    /// It was made by a newer program.
    #[error("{}: the database has version {found} of its layout; this program knows versions up to {VERSION}. Use a newer panaSKImg, or another file (--db)", path.display())]
    Newer {
        /// Database file.
        path: PathBuf,
        /// Version found.
        found: i64,
    },
    /// It holds tables of something else.
    #[error("{}: this is a database of another program (it has a table `{table}`); choose another file (--db)", path.display())]
    Foreign {
        /// Database file.
        path: PathBuf,
        /// A table in it.
        table: String,
    },
    /// A value cannot be put into JSON text, or read from it.
    #[error("{}: the column `{column}` does not hold what it should: {source}", path.display())]
    Json {
        /// Database file.
        path: PathBuf,
        /// Column.
        column: &'static str,
        /// Reason.
        source: serde_json::Error,
    },
}

/// An open database.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
    /// When it was opened, by the clock of the database.
    opened_utc: String,
}

impl Store {
    /// Opens the database, makes it when it is missing, and brings older layouts up to date.
    ///
    /// # Errors
    /// The file cannot be opened or written, was made by a newer program, or is something else.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent)
                .map_err(|source| StoreError::Directory { path: path.to_owned(), source })?;
        }
        let failed = |action| move |source| StoreError::Sqlite { path: path.to_owned(), action, source };
        let mut connection = Connection::open(path).map_err(failed("the database cannot be opened"))?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failed("the waiting time cannot be set"))?;
        schema::migrate(&mut connection, path)?;
        // File systems without shared memory keep their rollback journal: slower, as safe.
        let mode: Result<String, _> = connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0));
        mode.map_err(failed("the database cannot be opened for writing"))?;
        connection
            .execute_batch("PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;")
            .map_err(failed("the database cannot be set up"))?;
        let opened_utc = connection
            .query_row("SELECT strftime('%Y-%m-%dT%H:%M:%fZ','now')", [], |row| row.get(0))
            .map_err(failed("the database cannot be read"))?;
        Ok(Self { connection, path: path.to_owned(), opened_utc })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Does `work` in one transaction, alone among the writers.
    fn transact<T>(
        &mut self,
        action: &'static str,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, WorkError>,
    ) -> Result<T, StoreError> {
        let path = self.path.clone();
        let outcome = (|| {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })();
        outcome.map_err(|error: WorkError| error.at(path, action))
    }
}

/// An error inside a transaction, before it is told which file it is about.
#[derive(Debug)]
enum WorkError {
    Sqlite(rusqlite::Error),
    Json(&'static str, serde_json::Error),
}

impl WorkError {
    fn at(self, path: PathBuf, action: &'static str) -> StoreError {
        match self {
            Self::Sqlite(source) => StoreError::Sqlite { path, action, source },
            Self::Json(column, source) => StoreError::Json { path, column, source },
        }
    }
}

impl From<rusqlite::Error> for WorkError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}
