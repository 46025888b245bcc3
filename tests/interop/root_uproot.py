"""Reads files written by the crate with uproot and awkward, and compares with what went in.

    python root_uproot.py EXPECTED.json
"""

import json
import os
import sys

import awkward
import uproot

NAMES = {
    "int": "int32_t",
    "float": "float",
    "double": "double",
    "string": "std::string",
    "vector<int>": "std::vector<int32_t>",
    "vector<float>": "std::vector<float>",
    "vector<double>": "std::vector<double>",
    "vector<vector<int> >": "std::vector<std::vector<int32_t>>",
    "vector<vector<float> >": "std::vector<std::vector<float>>",
}


def check_tree(found, tree, where):
    assert found.num_entries == len(tree["rows"]), where
    assert found.keys() == [name for name, _ in tree["branches"]], where
    for i, (name, kind) in enumerate(tree["branches"]):
        wanted = [row[i] for row in tree["rows"]]
        assert found[name].typename == NAMES[kind], f"{where}.{name}: {found[name].typename}"
        assert awkward.to_list(found[name].array()) == wanted, f"{where}.{name}"
        middle = len(wanted) // 2
        part = found[name].array(entry_start=middle, entry_stop=middle + 7)
        assert awkward.to_list(part) == wanted[middle : middle + 7], f"{where}.{name}, part"


def main():
    with open(sys.argv[1]) as file:
        expected = json.load(file)
    folder = os.path.dirname(os.path.abspath(sys.argv[1]))
    # A cache shared by all files tells them apart by their identifiers.
    cache = uproot.cache.LRUCache(100)
    opened = {name: uproot.open(os.path.join(folder, name), object_cache=cache) for name in expected["files"]}
    for name, content in expected["files"].items():
        file = opened[name]
        assert [key.split(";")[0] for key in file.keys()] == list(content["trees"]), name
        for tree_name, tree in content["trees"].items():
            check_tree(file[tree_name], tree, f"{name}:{tree_name}")
    print(f"uproot {uproot.__version__}: {len(opened)} files read")


if __name__ == "__main__":
    main()
