// Reads files written by the crate with jsroot and compares with what went in.
//
//     PANASKIMG_JSROOT=folder_with_node_modules node root_jsroot.mjs EXPECTED.json
//
// jsroot has no description of ROOT's classes of its own: it decodes the file with its StreamerInfo record alone.

import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const module = path.join(process.env.PANASKIMG_JSROOT, "node_modules/jsroot/modules");
const load = (name) => import(pathToFileURL(path.join(module, name)));
const { version } = await load("core.mjs");
const { openFile } = await load("io.mjs");
const { TSelector, treeProcess } = await load("tree.mjs");

const complaints = [];
for (const level of ["log", "warn", "error"]) console[level] = (...words) => complaints.push(words.join(" "));

/** All values of a branch, entry by entry. */
async function column(tree, branch) {
  const values = [];
  const selector = new TSelector();
  selector.addBranch(branch, "x");
  selector.Process = function () {
    const x = this.tgtobj.x;
    values.push(structuredClone(ArrayBuffer.isView(x) ? Array.from(x) : x));
  };
  await treeProcess(tree, selector);
  return values;
}

const plain = (value) =>
  ArrayBuffer.isView(value) || Array.isArray(value) ? Array.from(value, plain) : value;

// A string is decoded byte by byte, whatever its encoding.
const bytes = (text) => Buffer.from(text, "utf8").toString("latin1");

async function checkTrees(folder, expected) {
  for (const [name, content] of Object.entries(expected.files)) {
    const file = await openFile(readFileSync(path.join(folder, name)).buffer);
    for (const [treeName, { branches, rows }] of Object.entries(content.trees)) {
      const tree = await file.readObject(treeName);
      assert.equal(tree.fEntries, rows.length);
      assert.deepEqual(tree.fBranches.arr.map((branch) => branch.fName), branches.map(([branch]) => branch));
      if (!rows.length) continue; // "does not have entries", as for ROOT's own
      for (const [i, [branch, kind]] of branches.entries()) {
        const wanted = rows.map((row) => (kind === "string" ? bytes(row[i]) : row[i]));
        assert.deepEqual((await column(tree, branch)).map(plain), wanted, `${name}:${treeName}.${branch}`);
      }
    }
  }
}

/** Histograms, graphs, and the function attached to one. */
async function checkObjects(folder, objects) {
  const file = await openFile(readFileSync(path.join(folder, objects.file)).buffer);
  assert.deepEqual(file.fKeys.map((key) => key.fName), [...objects.keys, "StreamerInfo"]);
  for (const [name, wanted] of Object.entries(objects.histograms)) {
    const found = await file.readObject(name);
    assert.deepEqual(plain(found.fArray), [wanted.underflow, ...wanted.contents, wanted.overflow]);
    assert.deepEqual([found.fTitle, found.fXaxis.fTitle, found.fYaxis.fTitle], [wanted.title, wanted.x_title, wanted.y_title]);
    assert.deepEqual([found.fXaxis.fXmin, found.fXaxis.fXmax, found.fEntries], [wanted.low, wanted.high, wanted.entries]);
    if (wanted.variances) assert.deepEqual(plain(found.fSumw2).slice(1, -1), wanted.variances);
  }
  const [fit] = (await file.readObject("fitted")).fFunctions.arr;
  assert.equal(fit._typename, "TF1");
  assert.deepEqual(plain(fit.fSave), [...objects.function.values, objects.function.low, objects.function.high]);
  assert.deepEqual(plain(fit.fParams.fParNames), objects.function.parameters.map(([name]) => name));
  assert.deepEqual(plain(fit.fParams.fParameters), objects.function.parameters.map(([, value]) => value));
  for (const [name, wanted] of Object.entries(objects.graphs)) {
    const found = await file.readObject(name);
    assert.deepEqual(plain(found.fX ?? []), wanted.x);
    assert.deepEqual(plain(found.fY ?? []), wanted.y.map(Number));
    if (wanted.y_errors) assert.deepEqual(plain(found.fEY), wanted.y_errors);
    assert.deepEqual([found.fTitle, found.fHistogram.fXaxis.fTitle], [wanted.title, wanted.x_title]);
  }
}

async function main() {
  const expected = JSON.parse(readFileSync(process.argv[2], "utf8"));
  const folder = path.dirname(process.argv[2]);
  await checkTrees(folder, expected);
  await checkObjects(folder, expected.objects);
  assert.deepEqual(complaints, []);
  process.stdout.write(`jsroot ${version}: ${Object.keys(expected.files).length} files read, histograms and graphs\n`);
}

// The zstd library of jsroot answers an uncaught error with its whole source.
await main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
});
