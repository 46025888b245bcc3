//! Status word of the fits.

/// Status word of a fit: the sum of its flags, 0 when good (spec 03 §1.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status(pub u8);

impl Status {
    /// The search did not settle.
    pub const NOT_CONVERGED: u8 = 1;
    /// A parameter rests on a limit.
    pub const AT_LIMIT: u8 = 2;
    /// The Hessian is not positive definite: no errors.
    pub const NOT_POSITIVE_DEFINITE: u8 = 4;
    /// No more used bins (pixels) than free parameters: no fit was made.
    pub const TOO_FEW_DATA: u8 = 8;

    /// Nothing is wrong.
    pub fn is_good(self) -> bool {
        self.0 == 0
    }

    /// The gain may be used for a calibration: converged, with errors (a limit is tolerated; spec 03 §1.12).
    pub fn is_usable(self) -> bool {
        self.0 & (Self::NOT_CONVERGED | Self::NOT_POSITIVE_DEFINITE | Self::TOO_FEW_DATA) == 0
    }

    /// A flag is set.
    pub fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }
}
