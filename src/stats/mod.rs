//! Histograms, robust estimators, fit models and fits.
