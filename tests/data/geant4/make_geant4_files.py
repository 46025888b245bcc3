"""Makes small files in the format of the Geant4 simulation, with ROOT itself.

Needs ROOT with its Python bindings (pip install root==0.1a12). Run in this folder:

    python make_geant4_files.py

full.root has all columns; light.root is what another producer writes: NCCD instead of NCCDs, EventOut with positions only,
single-precision times, whole-number masses, a volume list that begins with a semicolon; electron.root has
no ion: ROOT writes nothing for an empty character leaf.
"""

from array import array

import ROOT

# Event: list of (CCDid, x mm, y mm, z mm from the back, Edep eV, time s, pdg)
EVENTS = {
    10: [(1, 0.001, 0.016, 0.575, 10.0, 0.0, 22), (1, 0.014, 0.029, 0.375, 10.0, 1.0, 11)],
    11: [(1, 0.1, 0.1, 0.3, 3740.0, 5.0, 11), (2, 0.2, 0.2, 0.4, 1870.0, 6.0, 1000140280)],
    12: [],
    13: [(1, 0.1, 0.1, 0.3, 0.0, 0.0, 22)],
    14: [(1, 0.3, 0.3, 0.5, 400.0, 10.0, -11), (1, 0.4, 0.3, 0.5, 500.0, 2.0e14, 11), (1, -1.0, 0.3, 0.5, 600.0, 10.0, 11)],
}
VOLUMES = ["CCDSensor_PV_1", "CCDSensor_PV_2", "ColdCopper_3", "KaptonCable_1"]


def text(tree, name, value):
    """A character leaf, as the Geant4 analysis manager writes strings."""
    buffer = array("b", value.encode() + b"\0")
    tree.Branch(name, buffer, name + "/C")
    return buffer


def make(path, light, particle="ion", ion="60a27z"):
    file = ROOT.TFile(path, "RECREATE")
    keep = []
    real = "float" if light else "double"

    run = ROOT.TTree("RunInfo", "RunInfo")
    scalars = {"NEvts": 1000, "NCCD" if light else "NCCDs": 2, "Seed": -1}
    for name, value in scalars.items():
        number = array("i", [value])
        run.Branch(name, number, name + "/I")
        keep.append(number)
    names = ";".join(VOLUMES)
    keep.append(text(run, "concatedVolumeNames", ";" + names if light else names))
    keep.append(text(run, "primaryParticle", particle))
    keep.append(text(run, "primaryIon", ion))
    keep.append(text(run, "simulatedVolume", "ColdCopper_3"))
    ids = ROOT.std.vector("int")(range(len(VOLUMES)))
    run.Branch("volumeNameID", ids)
    keep.append(ids)
    columns = {"volumeMass": [9, 9, 250, 2], "volumeDensity": [2.33, 2.33, 8.96, 1.42], "volumeVolume": [3.6, 3.6, 28.0, 1.5], "volumeSurface": [107.0, 107.0, 60.0, 90.0]}
    for name, values in columns.items():
        kind = "int" if light and name == "volumeMass" else "double"
        vector = ROOT.std.vector(kind)(values)
        run.Branch(name, vector)
        keep.append(vector)
    run.Fill()

    event = ROOT.TTree("EventOut", "EventOut")
    event_id = array("i", [0])
    event.Branch("EventID", event_id, "EventID/I")
    primary = ["posx", "posy", "posz"] + ([] if light else ["momx", "momy", "momz", "energy", "triggerTime"])
    vectors = {name: ROOT.std.vector("double")() for name in primary}
    for name, vector in vectors.items():
        event.Branch(name, vector)
    # One generated event in ten leaves something in a CCD.
    for number in range(8, 20):
        event_id[0] = number
        for k, (name, vector) in enumerate(vectors.items()):
            vector.clear()
            for i in range(1 + number % 2):
                vector.push_back(number + 0.1 * k + 100.0 * i)
        event.Fill()

    hits = ROOT.TTree("CCDOut", "CCDOut")
    hits.Branch("EventID", event_id, "EventID/I")
    kinds = {"pdg": "int", "trackid": "int", "parentid": "int", "CCDid": "int", "posx": "double", "posy": "double", "posz": "double", "Edep": real, "time": real}
    vectors = {name: ROOT.std.vector(kind)() for name, kind in kinds.items()}
    for name, vector in vectors.items():
        hits.Branch(name, vector)
    for number, deposits in EVENTS.items():
        event_id[0] = number
        for vector in vectors.values():
            vector.clear()
        for ccd, x, y, z, energy, time, pdg in deposits:
            values = {"pdg": pdg, "trackid": 1, "parentid": 0, "CCDid": ccd, "posx": x, "posy": y, "posz": z, "Edep": energy, "time": time}
            for name, value in values.items():
                vectors[name].push_back(value)
        hits.Fill()
    file.Write()
    file.Close()


make("full.root", light=False)
make("light.root", light=True)
make("electron.root", light=False, particle="e-", ion="")
