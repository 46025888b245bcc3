//! The classes that occur in our files, member by member.
//!
//! Versions, checksums and members are those of ROOT 6.28, which later versions read (spec 05 §10.3; histograms and
//! graphs were read off the `StreamerInfo` of files written by ROOT itself).

/// One class: what a reader needs to decode its objects.
#[derive(Debug)]
pub(in crate::root) struct ClassInfo {
    pub name: &'static str,
    pub version: i32,
    pub checksum: u32,
    pub members: &'static [Member],
}

/// A data member, or a base class, in the order of streaming.
#[derive(Debug)]
pub(in crate::root) enum Member {
    /// A base class.
    Base(&'static ClassInfo),
    /// A number.
    Basic(&'static str, BasicType),
    /// An array whose length is the member `counter` of `class`, at that class's `version`.
    Counted { name: &'static str, basic: BasicType, class: &'static str, version: i32, counter: &'static str },
    /// A `TString`.
    Text(&'static str),
    /// An object derived from `TObject`: name, class, size in memory.
    Object(&'static str, &'static str, i32),
    /// Any other object: name, class, size in memory.
    AnyObject(&'static str, &'static str, i32),
    /// A pointer to an object derived from `TObject`.
    Pointer(&'static str, &'static str),
    /// The same, for a pointer that is never null.
    SurePointer(&'static str, &'static str),
    /// A pointer to any other object.
    AnyPointer(&'static str, &'static str),
    /// A member that is a `std::vector`: name, type, code of the content.
    Stl(&'static str, &'static str, i32),
    /// The only "member" of a `std::vector` class.
    Vector { class: &'static str, title: &'static str, content: i32 },
}

/// A C++ number: ROOT's code, bytes, name.
#[derive(Clone, Copy, Debug)]
pub(in crate::root) struct BasicType {
    pub code: i32,
    pub size: i32,
    pub name: &'static str,
}

impl BasicType {
    /// Added to the code of a number to say "array of counted length".
    pub const COUNTED: i32 = 40;

    const fn new(code: i32, size: i32, name: &'static str) -> Self {
        Self { code, size, name }
    }
}

impl ClassInfo {
    /// ROOT has codes of their own for two base classes.
    pub(super) fn base_code(&self) -> i32 {
        match self.name {
            "TObject" => 66,
            "TNamed" => 67,
            _ => 0,
        }
    }

    const fn new(name: &'static str, version: i32, checksum: u32, members: &'static [Member]) -> Self {
        Self { name, version, checksum, members }
    }
}

/// Code of a vector as content of a vector (any object).
const OBJECT: i32 = 61;

const S: BasicType = BasicType::new(2, 2, "short");
const I: BasicType = BasicType::new(3, 4, "int");
const F: BasicType = BasicType::new(5, 4, "float");
const COUNTER: BasicType = BasicType::new(6, 4, "int");
const D: BasicType = BasicType::new(8, 8, "double");
const BYTE: BasicType = BasicType::new(11, 1, "unsigned char");
const USHORT: BasicType = BasicType::new(12, 2, "unsigned short");
const U: BasicType = BasicType::new(13, 4, "unsigned int");
const BITS: BasicType = BasicType::new(15, 4, "unsigned int");
const L: BasicType = BasicType::new(16, 8, "Long64_t");
const BOOL: BasicType = BasicType::new(18, 1, "bool");

use Member::{AnyObject, AnyPointer, Base, Basic, Object, Pointer, Stl, SurePointer, Text};

const fn tree_array(name: &'static str) -> Member {
    Member::Counted { name, basic: L, class: "TTree", version: 20, counter: "fNClusterRange" }
}

const fn branch_array(name: &'static str, basic: BasicType) -> Member {
    Member::Counted { name, basic, class: "TBranch", version: 13, counter: "fMaxBaskets" }
}

const fn graph_array(name: &'static str) -> Member {
    Member::Counted { name, basic: D, class: "TGraph", version: 4, counter: "fNpoints" }
}

macro_rules! vector_class {
    ($constant:ident, $checksum:literal, $class:literal, $title:literal, $content:expr) => {
        static $constant: ClassInfo = ClassInfo::new(
            $class,
            6,
            $checksum,
            &[Member::Vector {
                class: $class,
                title: concat!("<", $title, "> Used to call the proper TStreamerInfo case"),
                content: $content,
            }],
        );
    };
}
vector_class!(VECTOR_FLOAT, 0x055a_169b, "vector<float>", "Float_t", 5);
vector_class!(VECTOR_INT, 0x0098_3b88, "vector<int>", "Int_t", 3);
vector_class!(VECTOR_VECTOR_FLOAT, 0x8165_d920, "vector<vector<float> >", "vector<float>", OBJECT);
vector_class!(VECTOR_VECTOR_INT, 0xb90b_52bd, "vector<vector<int> >", "vector<int>", OBJECT);
vector_class!(VECTOR_DOUBLE_CLASS, 0x100e_4364, "vector<double>", "Double_t", 8);
/// `vector<double>`, listed in files that have such a branch.
pub(in crate::root) static VECTOR_DOUBLE: &ClassInfo = &VECTOR_DOUBLE_CLASS;

static OBJECT_CLASS: ClassInfo =
    ClassInfo::new("TObject", 1, 0x901b_c02d, &[Basic("fUniqueID", U), Basic("fBits", BITS)]);
static NAMED: ClassInfo =
    ClassInfo::new("TNamed", 1, 0xdfb7_4a3c, &[Base(&OBJECT_CLASS), Text("fName"), Text("fTitle")]);
static STRING: ClassInfo = ClassInfo::new("TString", 2, 0x0001_7419, &[]);
static COLLECTION: ClassInfo =
    ClassInfo::new("TCollection", 3, 0x57e3_cb9c, &[Base(&OBJECT_CLASS), Text("fName"), Basic("fSize", I)]);
static SEQUENCE: ClassInfo = ClassInfo::new("TSeqCollection", 0, 0xfc6c_3bc6, &[Base(&COLLECTION)]);
static LIST: ClassInfo = ClassInfo::new("TList", 5, 0x69c5_c3bb, &[Base(&SEQUENCE)]);
static HASH_LIST: ClassInfo = ClassInfo::new("THashList", 0, 0xcc7e_49c1, &[Base(&LIST)]);
static OBJECT_ARRAY: ClassInfo =
    ClassInfo::new("TObjArray", 3, 0xa99e_6552, &[Base(&SEQUENCE), Basic("fLowerBound", I), Basic("fLast", I)]);
static LINE: ClassInfo = ClassInfo::new(
    "TAttLine",
    2,
    0x9407_4549,
    &[Basic("fLineColor", S), Basic("fLineStyle", S), Basic("fLineWidth", S)],
);
static FILL: ClassInfo = ClassInfo::new("TAttFill", 2, 0xffd9_2a92, &[Basic("fFillColor", S), Basic("fFillStyle", S)]);
static MARKER: ClassInfo = ClassInfo::new(
    "TAttMarker",
    2,
    0x291d_8bec,
    &[Basic("fMarkerColor", S), Basic("fMarkerStyle", S), Basic("fMarkerSize", F)],
);

static IO_FEATURES: ClassInfo = ClassInfo::new("ROOT::TIOFeatures", 1, 0x1aa1_2f10, &[Basic("fIOBits", BYTE)]);
static TREE: ClassInfo = ClassInfo::new(
    "TTree",
    20,
    0x7264_e07f,
    &[
        Base(&NAMED),
        Base(&LINE),
        Base(&FILL),
        Base(&MARKER),
        Basic("fEntries", L),
        Basic("fTotBytes", L),
        Basic("fZipBytes", L),
        Basic("fSavedBytes", L),
        Basic("fFlushedBytes", L),
        Basic("fWeight", D),
        Basic("fTimerInterval", I),
        Basic("fScanField", I),
        Basic("fUpdate", I),
        Basic("fDefaultEntryOffsetLen", I),
        Basic("fNClusterRange", COUNTER),
        Basic("fMaxEntries", L),
        Basic("fMaxEntryLoop", L),
        Basic("fMaxVirtualSize", L),
        Basic("fAutoSave", L),
        Basic("fAutoFlush", L),
        Basic("fEstimate", L),
        tree_array("fClusterRangeEnd"),
        tree_array("fClusterSize"),
        AnyObject("fIOFeatures", "ROOT::TIOFeatures", 1),
        Object("fBranches", "TObjArray", 64),
        Object("fLeaves", "TObjArray", 64),
        Pointer("fAliases", "TList"),
        AnyObject("fIndexValues", "TArrayD", 24),
        AnyObject("fIndex", "TArrayI", 24),
        Pointer("fTreeIndex", "TVirtualIndex"),
        Pointer("fFriends", "TList"),
        Pointer("fUserInfo", "TList"),
        Pointer("fBranchRef", "TBranchRef"),
    ],
);
static BRANCH: ClassInfo = ClassInfo::new(
    "TBranch",
    13,
    0x1097_8aac,
    &[
        Base(&NAMED),
        Base(&FILL),
        Basic("fCompress", I),
        Basic("fBasketSize", I),
        Basic("fEntryOffsetLen", I),
        Basic("fWriteBasket", I),
        Basic("fEntryNumber", L),
        AnyObject("fIOFeatures", "ROOT::TIOFeatures", 1),
        Basic("fOffset", I),
        Basic("fMaxBaskets", COUNTER),
        Basic("fSplitLevel", I),
        Basic("fEntries", L),
        Basic("fFirstEntry", L),
        Basic("fTotBytes", L),
        Basic("fZipBytes", L),
        Object("fBranches", "TObjArray", 64),
        Object("fLeaves", "TObjArray", 64),
        Object("fBaskets", "TObjArray", 64),
        branch_array("fBasketBytes", I),
        branch_array("fBasketEntry", L),
        branch_array("fBasketSeek", L),
        Text("fFileName"),
    ],
);
static BRANCH_ELEMENT: ClassInfo = ClassInfo::new(
    "TBranchElement",
    10,
    0xe74f_5e63,
    &[
        Base(&BRANCH),
        Text("fClassName"),
        Text("fParentName"),
        Text("fClonesName"),
        Basic("fCheckSum", U),
        Basic("fClassVersion", S),
        Basic("fID", I),
        Basic("fType", I),
        Basic("fStreamerType", I),
        Basic("fMaximum", I),
        Pointer("fBranchCount", "TBranchElement"),
        Pointer("fBranchCount2", "TBranchElement"),
    ],
);
static LEAF: ClassInfo = ClassInfo::new(
    "TLeaf",
    2,
    0x6d1e_8152,
    &[
        Base(&NAMED),
        Basic("fLen", I),
        Basic("fLenType", I),
        Basic("fOffset", I),
        Basic("fIsRange", BOOL),
        Basic("fIsUnsigned", BOOL),
        Pointer("fLeafCount", "TLeaf"),
    ],
);
static LEAF_INT: ClassInfo =
    ClassInfo::new("TLeafI", 1, 0x7e6a_ae19, &[Base(&LEAF), Basic("fMinimum", I), Basic("fMaximum", I)]);
static LEAF_DOUBLE: ClassInfo =
    ClassInfo::new("TLeafD", 1, 0x118e_8776, &[Base(&LEAF), Basic("fMinimum", D), Basic("fMaximum", D)]);
static LEAF_FLOAT_CLASS: ClassInfo =
    ClassInfo::new("TLeafF", 1, 0x3add_9d72, &[Base(&LEAF), Basic("fMinimum", F), Basic("fMaximum", F)]);
static LEAF_ELEMENT: ClassInfo =
    ClassInfo::new("TLeafElement", 1, 0xa04f_8893, &[Base(&LEAF), Basic("fID", I), Basic("fType", I)]);
/// The leaf of a scalar `float` branch, listed in files that have one.
pub(in crate::root) static LEAF_FLOAT: &ClassInfo = &LEAF_FLOAT_CLASS;

/// What every file with a tree lists.
pub(in crate::root) static TREE_CLASSES: [&ClassInfo; 22] = [
    &VECTOR_FLOAT,
    &VECTOR_INT,
    &VECTOR_VECTOR_FLOAT,
    &VECTOR_VECTOR_INT,
    &TREE,
    &BRANCH,
    &BRANCH_ELEMENT,
    &LEAF,
    &LEAF_INT,
    &LEAF_DOUBLE,
    &LEAF_ELEMENT,
    &LINE,
    &FILL,
    &MARKER,
    &IO_FEATURES,
    &NAMED,
    &OBJECT_CLASS,
    &STRING,
    &OBJECT_ARRAY,
    &LIST,
    &SEQUENCE,
    &COLLECTION,
];

static AXIS_ATTRIBUTES: ClassInfo = ClassInfo::new(
    "TAttAxis",
    4,
    0x5c6f_ff3e,
    &[
        Basic("fNdivisions", I),
        Basic("fAxisColor", S),
        Basic("fLabelColor", S),
        Basic("fLabelFont", S),
        Basic("fLabelOffset", F),
        Basic("fLabelSize", F),
        Basic("fTickLength", F),
        Basic("fTitleOffset", F),
        Basic("fTitleSize", F),
        Basic("fTitleColor", S),
        Basic("fTitleFont", S),
    ],
);
static AXIS: ClassInfo = ClassInfo::new(
    "TAxis",
    10,
    0x5a49_6e70,
    &[
        Base(&NAMED),
        Base(&AXIS_ATTRIBUTES),
        Basic("fNbins", I),
        Basic("fXmin", D),
        Basic("fXmax", D),
        AnyObject("fXbins", "TArrayD", 24),
        Basic("fFirst", I),
        Basic("fLast", I),
        Basic("fBits2", USHORT),
        Basic("fTimeDisplay", BOOL),
        Text("fTimeFormat"),
        Pointer("fLabels", "THashList"),
        Pointer("fModLabs", "TList"),
    ],
);
static HISTOGRAM: ClassInfo = ClassInfo::new(
    "TH1",
    8,
    0x1c37_40c4,
    &[
        Base(&NAMED),
        Base(&LINE),
        Base(&FILL),
        Base(&MARKER),
        Basic("fNcells", I),
        Object("fXaxis", "TAxis", 216),
        Object("fYaxis", "TAxis", 216),
        Object("fZaxis", "TAxis", 216),
        Basic("fBarOffset", S),
        Basic("fBarWidth", S),
        Basic("fEntries", D),
        Basic("fTsumw", D),
        Basic("fTsumw2", D),
        Basic("fTsumwx", D),
        Basic("fTsumwx2", D),
        Basic("fMaximum", D),
        Basic("fMinimum", D),
        Basic("fNormFactor", D),
        AnyObject("fContour", "TArrayD", 24),
        AnyObject("fSumw2", "TArrayD", 24),
        Text("fOption"),
        SurePointer("fFunctions", "TList"),
        Basic("fBufferSize", COUNTER),
        Member::Counted { name: "fBuffer", basic: D, class: "TH1", version: 8, counter: "fBufferSize" },
        Basic("fBinStatErrOpt", BasicType::new(3, 4, "TH1::EBinErrorOpt")),
        Basic("fStatOverflows", BasicType::new(3, 4, "TH1::EStatOverflows")),
    ],
);
static FLOAT_ARRAY: ClassInfo = ClassInfo::new("TArrayF", 1, 0x5a0b_f6f1, &[]);
static HISTOGRAM_FLOAT: ClassInfo = ClassInfo::new("TH1F", 3, 0xe293_9644, &[Base(&HISTOGRAM), Base(&FLOAT_ARRAY)]);

/// What a file with a histogram lists (`TArrayF` and its kin are built into every reader).
pub(in crate::root) static HISTOGRAM_CLASSES: [&ClassInfo; 14] = [
    &HISTOGRAM_FLOAT,
    &HISTOGRAM,
    &AXIS,
    &AXIS_ATTRIBUTES,
    &LINE,
    &FILL,
    &MARKER,
    &NAMED,
    &OBJECT_CLASS,
    &STRING,
    &HASH_LIST,
    &LIST,
    &SEQUENCE,
    &COLLECTION,
];

static GRAPH: ClassInfo = ClassInfo::new(
    "TGraph",
    4,
    0x05f7_f465,
    &[
        Base(&NAMED),
        Base(&LINE),
        Base(&FILL),
        Base(&MARKER),
        Basic("fNpoints", COUNTER),
        graph_array("fX"),
        graph_array("fY"),
        Pointer("fFunctions", "TList"),
        Pointer("fHistogram", "TH1F"),
        Basic("fMinimum", D),
        Basic("fMaximum", D),
    ],
);
static GRAPH_ERRORS: ClassInfo =
    ClassInfo::new("TGraphErrors", 3, 0xbdad_b119, &[Base(&GRAPH), graph_array("fEX"), graph_array("fEY")]);

/// What a file with a graph lists, besides the classes of the histogram that holds its axes.
pub(in crate::root) static GRAPH_CLASSES: [&ClassInfo; 2] = [&GRAPH_ERRORS, &GRAPH];

static FUNCTION_PARAMETERS: ClassInfo = ClassInfo::new(
    "TF1Parameters",
    1,
    0xd703_028e,
    &[Stl("fParameters", "vector<double>", 8), Stl("fParNames", "vector<string>", OBJECT)],
);
static FUNCTION: ClassInfo = ClassInfo::new(
    "TF1",
    12,
    0x7223_ffd8,
    &[
        Base(&NAMED),
        Base(&LINE),
        Base(&FILL),
        Base(&MARKER),
        Basic("fXmin", D),
        Basic("fXmax", D),
        Basic("fNpar", I),
        Basic("fNdim", I),
        Basic("fNpx", I),
        Basic("fType", BasicType::new(3, 4, "TF1::EFType")),
        Basic("fNpfits", I),
        Basic("fNDF", I),
        Basic("fChisquare", D),
        Basic("fMinimum", D),
        Basic("fMaximum", D),
        Stl("fParErrors", "vector<double>", 8),
        Stl("fParMin", "vector<double>", 8),
        Stl("fParMax", "vector<double>", 8),
        Stl("fSave", "vector<double>", 8),
        Basic("fNormalized", BOOL),
        Basic("fNormIntegral", D),
        Pointer("fFormula", "TFormula"),
        AnyPointer("fParams", "TF1Parameters"),
        Pointer("fComposition", "TF1AbsComposition"),
    ],
);

/// What a file with a function lists, besides the classes of the histogram it belongs to.
pub(in crate::root) static FUNCTION_CLASSES: [&ClassInfo; 2] = [&FUNCTION, &FUNCTION_PARAMETERS];
