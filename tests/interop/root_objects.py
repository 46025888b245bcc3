"""Reads histograms, graphs and fitted functions written by the crate with ROOT and uproot.

    python root_objects.py EXPECTED.json

Their bytes are compared with those of the same objects written by ROOT itself.
"""

import json
import math
import os
import sys
import tempfile

from root_read import ROOT, Silence, same

import uproot


def payload(path, name):
    """The bytes of an object in a file."""
    with uproot.open(path, object_cache=None) as file:
        key = file.key(name)
        chunk, cursor = key.get_uncompressed_chunk_cursor()
        return bytes(chunk.get(cursor.index, cursor.index + key.data_uncompressed_bytes, cursor, {}))


def twin(histogram, name):
    """The same histogram, made by ROOT."""
    bins = histogram["contents"]
    made = ROOT.TH1F(name, "", len(bins), histogram["low"], histogram["high"])
    made.SetTitle(";".join([histogram["title"], histogram["x_title"], histogram["y_title"]]))
    if histogram["variances"]:
        made.Sumw2()
    cells = [histogram["underflow"], *bins, histogram["overflow"]]
    for i, content in enumerate(cells):
        made.SetBinContent(i, content)
    if histogram["variances"]:  # under- and overflow have those of counts
        for i, variance in enumerate([cells[0], *histogram["variances"], cells[-1]]):
            made.GetSumw2().SetAt(variance, i)
    made.SetEntries(histogram["entries"])
    return made


def check_histogram(found, expected, name):
    bins = expected["contents"]
    same([found.GetBinContent(i) for i in range(len(bins) + 2)],
         [expected["underflow"], *bins, expected["overflow"]], name)
    variances = expected["variances"] or bins
    for i, variance in enumerate(variances):
        assert math.isclose(found.GetBinError(i + 1), math.sqrt(variance), rel_tol=1e-15), name
    same([found.GetTitle(), found.GetXaxis().GetTitle(), found.GetYaxis().GetTitle()],
         [expected[k] for k in ("title", "x_title", "y_title")], name)
    same([found.GetXaxis().GetXmin(), found.GetXaxis().GetXmax(), found.GetEntries()],
         [expected["low"], expected["high"], expected["entries"]], name)
    # ROOT computes the moments from the bins.
    width = (expected["high"] - expected["low"]) / len(bins)
    mean = sum(c * (expected["low"] + (i + 0.5) * width) for i, c in enumerate(bins)) / sum(bins)
    assert math.isclose(found.GetMean(), mean, rel_tol=1e-12), name
    found.Fit("pol0", "QN0")
    found.Clone().Rebin(5)


def check_graph(found, expected, name):
    y = [float(value) for value in expected["y"]]
    assert found.GetN() == len(y), name
    for got, wanted in zip([found.GetPointY(i) for i in range(len(y))], y):
        assert got == wanted or math.isnan(got) and math.isnan(wanted), name
    same([found.GetPointX(i) for i in range(len(y))], expected["x"], name)
    for errors, get in ((expected["x_errors"], "GetErrorX"), (expected["y_errors"], "GetErrorY")):
        if isinstance(found, ROOT.TGraphErrors):
            same([getattr(found, get)(i) for i in range(len(y))], errors or [0.0] * len(y), name)
    same([found.GetTitle(), found.GetXaxis().GetTitle(), found.GetYaxis().GetTitle()],
         [expected[k] for k in ("title", "x_title", "y_title")], name)
    for i, value in enumerate(y):
        if not math.isnan(value):
            axis = found.GetXaxis()
            assert axis.GetXmin() < found.GetPointX(i) < axis.GetXmax(), name


def check_function(found, expected):
    assert found.GetName() == expected["name"]
    same([found.GetChisquare(), found.GetNDF(), found.GetNumberFitPoints(), found.GetXmin(), found.GetXmax()],
         [expected[k] for k in ("chi2", "ndf", "points", "low", "high")], "function")
    for i, (name, value, error) in enumerate(expected["parameters"]):
        same([found.GetParName(i), found.GetParameter(i), found.GetParError(i)], [name, value, error], "function")
        assert found.GetParameter(name) == value
    step = (expected["high"] - expected["low"]) / (len(expected["values"]) - 1)
    for i, value in enumerate(expected["values"]):
        assert math.isclose(found.Eval(expected["low"] + i * step), value, rel_tol=1e-12, abs_tol=1e-12)


def check_with_root(path, expected, folder):
    file = ROOT.TFile.Open(path)
    assert [key.GetName() for key in file.GetListOfKeys()] == expected["keys"]
    canvas = ROOT.TCanvas()
    for name, histogram in expected["histograms"].items():
        check_histogram(file.Get(name), histogram, name)
        file.Get(name).Draw()
        canvas.Update()
    for name, graph in expected["graphs"].items():
        check_graph(file.Get(name), graph, name)
        if graph["x"]:
            file.Get(name).Draw("AP")
            canvas.Update()
    fitted = file.Get("fitted")
    check_function(fitted.GetFunction(expected["function"]["name"]), expected["function"])
    fitted.Draw()
    ROOT.gErrorIgnoreLevel = ROOT.kWarning  # no word about the picture
    canvas.SaveAs(os.path.join(folder, "fitted.png"))
    ROOT.gErrorIgnoreLevel = -1
    file.Close()
    only = ROOT.TFile.Open(os.path.join(os.path.dirname(path), expected["graph_only"]))
    check_graph(only.Get("points"), expected["graphs"]["points"], "points")
    only.Close()


def check_bytes(path, expected, folder):
    """Histograms are ROOT's own to the byte, but for the version of the marker attributes (3 in ROOT 6.40, the same
    members)."""
    theirs = os.path.join(folder, "theirs.root")
    file = ROOT.TFile.Open(theirs, "RECREATE")
    for name in ("pcd", "weighted"):
        twin(expected["histograms"][name], name).Write()
    file.Close()
    marker = bytes.fromhex("4000000a0003")
    for name in ("pcd", "weighted"):
        wanted = payload(theirs, name)
        if ROOT.TClass.GetClass("TAttMarker").GetClassVersion() == 3:
            assert wanted.count(marker) == 1
            wanted = wanted.replace(marker, bytes.fromhex("4000000a0002"))
        assert payload(path, name) == wanted, name


def described(path):
    """What a file says of its classes."""
    file = ROOT.TFile.Open(path)
    classes = {}
    for info in file.GetStreamerInfoList():
        if info.ClassName() == "TStreamerInfo":
            members = [(e.ClassName(), e.GetName(), e.GetType(), e.GetSize(), str(e.GetTypeName())) for e in info.GetElements()]
            classes[info.GetName(), info.GetClassVersion()] = (info.GetCheckSum(), members)
    file.Close()
    return classes


def check_classes(path, folder):
    """Classes are described as ROOT describes them, where it still writes the same version."""
    theirs = os.path.join(folder, "classes.root")
    file = ROOT.TFile.Open(theirs, "RECREATE")
    histogram, function = ROOT.TH1F("h", "", 2, 0, 1), ROOT.TF1("f", lambda x, p: p[0], 0, 1, 1)
    histogram.GetListOfFunctions().Add(function)
    histogram.Write()
    ROOT.TGraphErrors(1).Write("g")
    file.Close()
    ours, theirs = described(path), described(theirs)
    common = [key for key in theirs if key in ours]
    assert {("TH1", 8), ("TH1F", 3), ("TAxis", 10), ("TGraphErrors", 3), ("TF1", 12), ("TF1Parameters", 1)} <= set(common)
    for key in common:
        checksum, members = theirs[key]
        if key == ("TGraphErrors", 3):  # its base, TGraph, has version 5 there
            assert ours[key][0] == checksum
        else:
            assert ours[key] == (checksum, members), key


def check_with_uproot(path, expected):
    file = uproot.open(path)
    for name, histogram in expected["histograms"].items():
        values, edges = file[name].to_numpy()
        assert values.tolist() == histogram["contents"]
        assert edges[0] == histogram["low"] and edges[-1] == histogram["high"]
        same(file[name].variances().tolist(), histogram["variances"] or histogram["contents"], name)
        assert file[name].title == histogram["title"]
    for name, graph in expected["graphs"].items():
        same(file[name].member("fX"), graph["x"], name)
        if graph["y_errors"]:
            same(file[name].member("fEY"), graph["y_errors"], name)


def check_merge(path, expected, folder):
    target = os.path.join(folder, "sum.root")
    merger = ROOT.TFileMerger(False)
    assert merger.OutputFile(target, "RECREATE", 101)
    assert merger.AddFile(path) and merger.AddFile(path)
    assert merger.Merge()
    file = ROOT.TFile.Open(target)
    for name, histogram in expected["histograms"].items():
        same([file.Get(name).GetBinContent(i + 1) for i in range(len(histogram["contents"]))],
             [2 * content for content in histogram["contents"]], name)
    assert file.Get("bars").GetN() == 2 * len(expected["graphs"]["bars"]["x"])
    file.Close()


def main():
    with open(sys.argv[1]) as file:
        expected = json.load(file)["objects"]
    path = os.path.join(os.path.dirname(os.path.abspath(sys.argv[1])), expected["file"])
    with tempfile.TemporaryDirectory() as folder:
        with Silence():
            check_with_root(path, expected, folder)
            check_bytes(path, expected, folder)
            check_classes(path, folder)
            check_merge(path, expected, folder)
            check_with_uproot(path, expected)
    print(f"ROOT {ROOT.gROOT.GetVersion()}: histograms, graphs and a function read")


if __name__ == "__main__":
    main()
