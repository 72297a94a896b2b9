//! Kept while other modules name it here.
pub use vocab::TreeLayout;
