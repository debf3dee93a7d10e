//! The directory that a dump is written into before it is complete: made and marked, or taken over
//! from an earlier try, of which only what reading proves is kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::MARK;
use super::dump::{DumpOptions, WRITING, read_back};
use super::dump_names::file_stem;
use super::files::{create_dir, partial_of, remove_partial, shown, write_new};
use super::pull::Seen;
use crate::domain::progress::{Meter, Phase};
use crate::domain::{Class, Error, Result};
use crate::engine::input::CollectionKind;
use crate::engine::output::CollectionSpec;

/// Makes the marked directory, or takes over what an earlier try left; gives what that has
/// written of each collection, proven.
pub(super) fn begin(
    dir: &Path,
    partial: &Path,
    specs: &[CollectionSpec],
    options: &DumpOptions<'_>,
    meter: &Meter,
) -> Result<Vec<Option<Seen>>> {
    let failed = |path: &Path, e: io::Error| Box::new(Error::failed(WRITING, shown(path), e));
    let mut left = None;
    for id in options.earlier {
        let old = partial_of(dir, id, WRITING)?;
        // Without the mark it is not known what it is.
        if left.is_none() && old.join(MARK).is_file() {
            fs::rename(&old, partial).map_err(|e| failed(&old, e))?;
            left = Some(());
        } else {
            remove_partial(dir, id)?;
        }
    }
    if left.is_none() {
        create_dir(partial).map_err(|e| failed(partial, e))?;
        let mark = partial.join(MARK);
        let started = json!({ "time": super::now() }).to_string();
        write_new(&mark, started.as_bytes()).map_err(|e| failed(&mark, e))?;
        return Ok(vec![None; specs.len()]);
    }
    let data = |spec: &CollectionSpec| {
        partial.join(&spec.ns.db).join(format!("{}.bson", file_stem(&spec.data_ns().coll)))
    };
    let claim =
        |spec: &CollectionSpec| options.ledger.noted(&spec.ns).filter(|_| spec.kind != CollectionKind::View);
    meter.enter(Phase::Verify, specs.iter().filter_map(claim).map(|s| s.digest.count).sum());
    let mut kept = vec![None; specs.len()];
    let mut stays = Vec::new();
    for (spec, kept) in specs.iter().zip(&mut kept) {
        let Some(claim) = claim(spec) else { continue };
        let path = data(spec);
        match read_back(&path, spec.ordered, meter) {
            Ok(found) if found == claim => {
                *kept = Some(found);
                stays.push(path);
            }
            Err(error) if error.class == Class::Interrupted => return Err(error),
            _ => {}
        }
    }
    clear(partial, &stays).map_err(|e| failed(partial, e))?;
    Ok(kept)
}

/// Removes everything in a directory of ours but its mark and these files.
fn clear(partial: &Path, stays: &[PathBuf]) -> io::Result<()> {
    for entry in fs::read_dir(partial)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            for file in fs::read_dir(entry.path())? {
                let file = file?;
                match file.file_type()?.is_dir() {
                    true => fs::remove_dir_all(file.path())?,
                    false if stays.contains(&file.path()) => {}
                    false => fs::remove_file(file.path())?,
                }
            }
        } else if entry.file_name() != MARK {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
