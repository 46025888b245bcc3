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

const expected = JSON.parse(readFileSync(process.argv[2], "utf8"));
const folder = path.dirname(process.argv[2]);
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
assert.deepEqual(complaints, []);
process.stdout.write(`jsroot ${version}: ${Object.keys(expected.files).length} files read\n`);
