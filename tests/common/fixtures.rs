//! The recorded backups, kept compressed in the repository and unpacked once.

use std::fs::File;
use std::path::{Path, PathBuf};

/// Real backups of real servers: `v42`, `v44`, `v50`, `v60`, and with a PBM store `pbm50`, `pbm60`.
pub const ALL: [&str; 6] = ["v42", "v44", "v50", "v60", "pbm50", "pbm60"];

/// The directory of an unpacked fixture. Tests only read it.
pub fn fixture(name: &str) -> PathBuf {
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/{name}.tar.xz"));
    let root = super::target_dir().join("fixtures");
    // Unpacked next to its final place and renamed: nobody ever sees half of it. A packed file
    // that changed is unpacked anew, hence its size in the name.
    let size = packed.metadata().unwrap_or_else(|e| panic!("{}: {e}", packed.display())).len();
    let ready = root.join(format!("{name}-{size}"));
    super::once(&ready, || {
        let work = tempfile::tempdir_in(&root).unwrap();
        let file = xz2::read::XzDecoder::new(File::open(&packed).unwrap());
        tar::Archive::new(file).unpack(work.path()).unwrap();
        std::fs::rename(work.path().join(name), &ready).unwrap();
    });
    ready
}
