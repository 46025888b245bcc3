"""Reads files written by the crate with ROOT itself, in the ways users' macros do, and compares with what went in.

    python root_read.py EXPECTED.json

EXPECTED.json (written by tests/root_interop) stands beside the files. ROOT must not say a word on stderr: a file with
a defect is often read all the same, with a warning. PyROOT passes ROOT's messages on as Python warnings, so these
count too.
"""

import glob
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the notice of the pip package about itself
    import ROOT

ROOT.gROOT.SetBatch(True)
warnings.simplefilter("always")
LEAVES = {"int": "TLeafI", "float": "TLeafF", "double": "TLeafD"}


def flush():
    sys.stdout.flush()
    ROOT.gInterpreter.ProcessLine("fflush(stdout); std::cout.flush();")


class Silence:
    """Nobody, C++ or Python, may write to stderr; what goes to stdout is lost."""

    def __enter__(self):
        self.file = tempfile.TemporaryFile()
        sys.stdout.flush()
        self.stdout, self.nothing = os.dup(1), os.open(os.devnull, os.O_WRONLY)
        os.dup2(self.nothing, 1)
        sys.stderr.flush()
        self.stderr = os.dup(2)
        os.dup2(self.file.fileno(), 2)
        return self

    def __exit__(self, *error):
        sys.stderr.flush()
        os.dup2(self.stderr, 2)
        flush()
        os.dup2(self.stdout, 1)
        for number in (self.stderr, self.stdout, self.nothing):
            os.close(number)
        self.file.seek(0)
        text = self.file.read().decode(errors="replace")
        self.file.close()
        if error[0] is None and text.strip():
            raise AssertionError("ROOT said:\n" + text)
        if text.strip():
            sys.stderr.write(text)


def same(got, expected, where):
    """Equal, NaN included; expected floats are exact doubles of the float32 values."""
    if isinstance(expected, list):
        got = list(got)
        assert len(got) == len(expected), f"{where}: {len(got)} elements instead of {len(expected)}"
        for i, (g, e) in enumerate(zip(got, expected)):
            same(g, e, f"{where}[{i}]")
    elif isinstance(expected, str):
        assert str(got) == expected, f"{where}: {got!r} instead of {expected!r}"
    else:
        assert float(got) == float(expected), f"{where}: {got!r} instead of {expected!r}"


def flat(value):
    if isinstance(value, list):
        for item in value:
            yield from flat(item)
    else:
        yield value


def columns(tree):
    for i, (name, kind) in enumerate(tree["branches"]):
        yield name, kind, [row[i] for row in tree["rows"]]


def check_structure(found, tree, where):
    assert found.GetEntries() == len(tree["rows"]), where
    names = [b.GetName() for b in found.GetListOfBranches()]
    assert names == [name for name, _ in tree["branches"]], where
    for name, kind, _ in columns(tree):
        branch = found.GetBranch(name)
        leaf = branch.GetListOfLeaves().At(0)
        if kind in LEAVES:
            assert leaf.ClassName() == LEAVES[kind], f"{where}.{name}"
        else:
            assert branch.ClassName() == "TBranchElement" and branch.GetClassName() == kind, f"{where}.{name}"


def check_get_entry(found, tree, where):
    for i, row in enumerate(tree["rows"]):
        assert found.GetEntry(i) > 0 or not row, where
        for (name, _), value in zip(tree["branches"], row):
            same(getattr(found, name), value, f"{where}.{name}[{i}]")


def check_draw(found, tree, where):
    """Draw, entry by entry in the order of the file; strings go through Scan."""
    for name, kind, values in columns(tree):
        wanted = list(flat(values))
        if kind == "string" or not wanted:
            continue
        found.SetEstimate(len(wanted) + 1)
        drawn = found.Draw(name, "", "goff")
        assert drawn == len(wanted), f"{where}.{name}: Draw gives {drawn} values instead of {len(wanted)}"
        same([found.GetV1()[i] for i in range(drawn)], wanted, f"Draw {where}.{name}")


def check_scan(found, tree, where, folder):
    """Scan to a file: a table with one line per entry and instance, without complaint."""
    path = os.path.join(folder, "scan.txt")
    for name, kind, values in columns(tree):
        if not list(flat(values)):
            continue
        found.GetPlayer().SetScanRedirect(True)
        found.GetPlayer().SetScanFileName(path)
        found.Scan(name, "", "colsize=40 precision=9")
        with open(path, errors="replace") as file:
            lines = [line for line in file.read().splitlines() if line.startswith("*") and "Row" not in line]
        lines = [line for line in lines if set(line) != {"*"}]
        if kind in LEAVES:
            assert len(lines) == len(values), f"Scan {where}.{name}"
            for line, value in zip(lines, values):
                assert math.isclose(float(line.split("*")[2]), value, rel_tol=1e-6, abs_tol=1e-30), f"Scan {name}: {line}"
        elif kind == "string":
            assert len(lines) == len(values), f"Scan {where}.{name}"
            for line, value in zip(lines, values):
                shown = line.split("*", 2)[2].rstrip(" *\ufffd").lstrip()
                assert value.lstrip().startswith(shown), f"Scan {where}.{name}: {shown!r} of {value!r}"


def check_print(found, tree, folder):
    stdout = os.dup(1)
    with open(os.path.join(folder, "print.txt"), "w") as file:
        sys.stdout.flush()
        os.dup2(file.fileno(), 1)
        found.Print()
        if tree["rows"]:
            found.Show(0)
        flush()
        os.dup2(stdout, 1)
    os.close(stdout)
    with open(file.name) as file:
        text = file.read()
    assert f"Entries : {len(tree['rows']):8d}" in text, text[:300]


def check_reader(file, tree_name, tree):
    """TTreeReader: a value for a number or string, an array of numbers or vectors for a vector.

    (A TTreeReaderValue of vector<vector<int> > works too, but complains of the missing dictionary, for files that ROOT
    wrote as well.)
    """
    for name, kind, values in columns(tree):
        reader = ROOT.TTreeReader(tree_name, file)
        if kind.startswith("vector"):
            array = ROOT.TTreeReaderArray[element(kind)](reader, name)
            get = lambda: [array.At(i) for i in range(array.GetSize())]
        else:
            value = ROOT.TTreeReaderValue["std::string" if kind == "string" else kind](reader, name)
            get = lambda: value.__deref__()
        got = []
        while reader.Next():
            item = get()
            got.append([list(x) for x in item] if kind.count("vector") == 2 else item)
        same(got, values, f"TTreeReader {tree_name}.{name}")


def element(kind):
    """What a vector type is a vector of."""
    return kind[len("vector<") : -1].strip()


def check_branch_address(found, tree, where):
    """Typed addresses. vector<vector<int> > has no dictionary in ROOT 6.40 (for ROOT's own files neither)."""
    for name, kind, values in columns(tree):
        if kind == "vector<vector<int> >":
            continue
        if kind in LEAVES:
            import numpy

            holder = numpy.zeros(1, {"int": "i4", "float": "f4", "double": "f8"}[kind])
            get = lambda: holder[0]
        else:
            holder = ROOT.std.string() if kind == "string" else ROOT.std.vector[element(kind)]()
            get = lambda: str(holder) if kind == "string" else [list(v) if "vector" in kind[7:] else v for v in holder]
        found.ResetBranchAddresses()
        status = found.SetBranchAddress(name, holder)
        assert status in (0, None) or status >= 0, f"SetBranchAddress {where}.{name}: {status}"
        for i, value in enumerate(values):
            found.GetEntry(i)
            same(get(), value, f"SetBranchAddress {where}.{name}[{i}]")
    found.ResetBranchAddresses()


def check_data_frame(path, tree_name, tree):
    frame = ROOT.RDataFrame(tree_name, path)
    assert frame.Count().GetValue() == len(tree["rows"])
    for name, kind, values in columns(tree):
        if kind == "string":
            got = [str(text) for text in frame.Take["std::string"](name).GetValue()]
            same(sorted(got), sorted(values), f"RDataFrame {name}")
        elif kind in LEAVES:
            same(sorted(frame.AsNumpy([name])[name].tolist()), sorted(values), f"RDataFrame {name}")
        elif kind.count("vector") == 1:
            summed = frame.Define("s_", f"double s = 0; for (double x : {name}) s += x; return s;").AsNumpy(["s_"])["s_"]
            same(sorted(summed.tolist()), sorted(sum_in_order(v) for v in values), f"RDataFrame {name}")
        else:
            code = f"double s = 0; for (auto &row : {name}) for (double x : row) s += x; return s;"
            summed = frame.Define("s_", code).AsNumpy(["s_"])["s_"]
            same(sorted(summed.tolist()), sorted(sum_in_order(flat(v)) for v in values), f"RDataFrame {name}")


def sum_in_order(values):
    total = 0.0
    for value in values:
        total += value
    return total


def check_file(path, expected, folder):
    file = ROOT.TFile.Open(path)
    assert file and not file.IsZombie()
    assert file.GetCompressionSettings() == expected["compression"], path
    assert [key.GetName() for key in file.GetListOfKeys()] == list(expected["trees"]), path
    for name, tree in expected["trees"].items():
        where = f"{os.path.basename(path)}:{name}"
        found = file.Get(name)
        assert found.ClassName() == "TTree" and found.GetTitle() == name
        check_structure(found, tree, where)
        check_get_entry(found, tree, where)
        check_print(found, tree, folder)
        if tree["rows"]:  # of empty trees ROOT says "subset is empty"
            check_draw(found, tree, where)
            check_scan(found, tree, where, folder)
            check_branch_address(found, tree, where)
            check_reader(file, name, tree)
            check_data_frame(path, name, tree)
    file.Close()


def check_copy(path, expected, folder):
    """CopyTree, SetBranchStatus + CloneTree, and what they wrote."""
    copy_path = os.path.join(folder, "copy.root")
    file = ROOT.TFile.Open(path)
    copy = ROOT.TFile.Open(copy_path, "RECREATE")
    for name, tree in expected["trees"].items():
        if tree["rows"]:
            copied = file.Get(name).CopyTree("")
            copied.Write()
    copy.Close()
    file.Close()
    copy = ROOT.TFile.Open(copy_path)
    for name, tree in expected["trees"].items():
        if tree["rows"]:
            check_structure(copy.Get(name), tree, "copy")
            check_get_entry(copy.Get(name), tree, "copy")
    copy.Close()


def check_update(path, expected, folder):
    """Other objects may be added to the file, and its trees stay as they are."""
    changed = os.path.join(folder, "update.root")
    shutil.copy(path, changed)
    file = ROOT.TFile.Open(changed, "UPDATE")
    ROOT.TNamed("note", "added later").Write()
    histogram = ROOT.TH1F("h", "h", 10, 0, 1)
    histogram.Fill(0.5)
    histogram.Write()
    file.Close()
    file = ROOT.TFile.Open(changed, "UPDATE")
    assert file.Get("note").GetTitle() == "added later" and file.Get("h").GetEntries() == 1
    for name, tree in expected["trees"].items():
        check_structure(file.Get(name), tree, "updated file")
        check_get_entry(file.Get(name), tree, "updated file")
    ROOT.TNamed("second", "").Write()
    file.Close()
    assert not ROOT.TFile.Open(changed).TestBit(ROOT.TFile.kRecovered)


def joined(files):
    """What a chain over these files, or their sum, has to contain."""
    trees = {}
    for file in files:
        for name, tree in file["trees"].items():
            trees.setdefault(name, {"branches": tree["branches"], "rows": []})["rows"].extend(tree["rows"])
    return trees


def check_chain(folder, pattern, expected):
    """TChain over a pattern with a friend chain, as in the existing macros."""
    names = sorted(os.path.basename(p) for p in glob.glob(os.path.join(folder, pattern)))
    trees = joined([expected["files"][name] for name in names])
    first, second = list(trees)[:2]
    chain, friend = ROOT.TChain(first), ROOT.TChain(second)
    assert chain.Add(os.path.join(folder, pattern)) == len(names)
    assert friend.Add(os.path.join(folder, pattern)) == len(names)
    assert chain.GetEntries() == len(trees[first]["rows"]) == friend.GetEntries()
    chain.AddFriend(friend)
    check_get_entry(chain, trees[first], "chain")
    # Each entry of the first tree beside the same entry of its friend.
    vector = next(n for n, k, _ in columns(trees[first]) if k == "vector<float>")
    scalar = next(n for n, k, _ in columns(trees[second]) if k == "double")
    vectors = next(v for n, _, v in columns(trees[first]) if n == vector)
    scalars = next(v for n, _, v in columns(trees[second]) if n == scalar)
    chain.SetEstimate(1_000_000)
    drawn = chain.Draw(f"{vector}:{second}.{scalar}", "", "goff")
    wanted = [(x, s) for v, s in zip(vectors, scalars) for x in v]
    same([[chain.GetV1()[i], chain.GetV2()[i]] for i in range(drawn)], [list(w) for w in wanted], "Draw with a friend")
    # A per-pixel quantity beside a per-cluster one and a selection on the clusters.
    nested = next(n for n, k, _ in columns(trees[first]) if k == "vector<vector<float> >")
    nests = next(v for n, _, v in columns(trees[first]) if n == nested)
    drawn = chain.Draw(f"{nested}:{vector}", f"{vector}>0", "goff")
    wanted = [[p, x] for v, nest in zip(vectors, nests) for x, row in zip(v, nest) if x > 0 for p in row]
    same([[chain.GetV1()[i], chain.GetV2()[i]] for i in range(drawn)], wanted, "Draw with pixels and clusters")
    frame = ROOT.RDataFrame(chain)
    assert frame.Count().GetValue() == len(vectors)
    return names, trees


def check_merge(folder, names, trees):
    """hadd as a program where there is one, else the class behind it: fast, optimised, recompressed, and again."""
    paths = [os.path.join(folder, name) for name in names]
    program = os.path.join(os.path.dirname(ROOT.__file__), "bin", "hadd")
    program = program if os.path.exists(program) else shutil.which("hadd")
    sums = []
    for number, (fast, setting) in enumerate([(True, None), (False, None), (True, 505), (True, 404)]):
        target = os.path.join(folder, f"sum{number}.sum")
        merger = ROOT.TFileMerger(False)
        merger.SetFastMethod(fast)
        assert merger.OutputFile(target, "RECREATE", setting if setting else 101)
        for path in paths + sums[:1]:
            assert merger.AddFile(path)
        assert merger.Merge()
        sums.append(target)
        doubled = trees if number == 0 else {n: {**t, "rows": t["rows"] * 2} for n, t in trees.items()}
        file = ROOT.TFile.Open(target)
        for name, tree in doubled.items():
            check_structure(file.Get(name), tree, "sum")
            check_get_entry(file.Get(name), tree, "sum")
        file.Close()
    if program:
        target = os.path.join(folder, "hadd.sum")
        done = subprocess.run([program, "-f", target, *paths], capture_output=True, text=True)
        said = [line for line in done.stderr.splitlines() if not line.startswith("Info in <hadd>")]
        assert done.returncode == 0 and not said, done.stderr
        file = ROOT.TFile.Open(target)
        for name, tree in trees.items():
            check_get_entry(file.Get(name), tree, "hadd")
        file.Close()
    return bool(program)


def check_threads(folder, names, trees):
    ROOT.EnableImplicitMT(2)
    name = list(trees)[0]
    frame = ROOT.RDataFrame(name, [os.path.join(folder, n) for n in names])
    vector = next(n for n, k, _ in columns(trees[name]) if k == "vector<float>")
    values = next(v for n, _, v in columns(trees[name]) if n == vector)
    total = frame.Define("n_", f"(double){vector}.size()").Sum("n_").GetValue()
    assert total == sum(map(len, values))
    ROOT.DisableImplicitMT()


def main():
    with open(sys.argv[1]) as file:
        expected = json.load(file)
    folder = os.path.dirname(os.path.abspath(sys.argv[1]))
    with tempfile.TemporaryDirectory() as scratch:
        with Silence():
            for name, content in expected["files"].items():
                check_file(os.path.join(folder, name), content, scratch)
                check_copy(os.path.join(folder, name), content, scratch)
                check_update(os.path.join(folder, name), content, scratch)
            names, trees = check_chain(folder, expected["chain"], expected)
            check_threads(folder, names, trees)
            equal = [expected["files"][name] for name in expected["merge"]]
            hadd = check_merge(folder, expected["merge"], joined(equal))
    print(f"ROOT {ROOT.gROOT.GetVersion()}: {len(expected['files'])} files read in every way"
          + ("" if hadd else " (no program hadd, TFileMerger only)"))


if __name__ == "__main__":
    main()
