//! Which set an address leads to. A case of a live source is named by the set, so that the same
//! command, with whatever member's address, resumes the same case, also when nobody answers any
//! more: for that the set behind each address is remembered in the state folder.

use std::path::PathBuf;

use xxhash_rust::xxh3::xxh3_64;

use crate::case::{make_private_dir, state_home, write_private};
use crate::domain::source::Source;
use crate::domain::uri::{encoded, without_secrets};
use crate::domain::{Class, Error, Result};
use crate::source::live::folder::Owner;
use crate::source::live::look::identify;

/// A live source as far as it could be found out.
#[derive(Debug)]
pub struct Known {
    /// Its connection string.
    pub uri: String,
    /// The set, by asking it or from before.
    pub set: Option<Owner>,
    /// Why it cannot be asked now.
    pub unreachable: Option<Box<Error>>,
}

impl Known {
    /// Asks; a source that is there and is no replica set is an error.
    pub fn ask(uri: &str) -> Result<Known> {
        let address = without_secrets(uri);
        let asked = identify(uri);
        Ok(match asked {
            Ok(set) => {
                let owner = Owner { address, name: set.name, id: set.id };
                remember(&owner)?;
                Known { uri: uri.to_owned(), set: Some(owner), unreachable: None }
            }
            Err(error) if error.class == Class::Failed => {
                Known { uri: uri.to_owned(), set: remembered(&address), unreachable: Some(error) }
            }
            Err(error) => return Err(error),
        })
    }

    /// What names it in a case: the set's name and id; by a user who may not read the id, the
    /// name and the address.
    fn identity(&self) -> PathBuf {
        let address = without_secrets(&self.uri);
        match &self.set {
            None => PathBuf::from(address),
            Some(Owner { name, id, .. }) => {
                let id = id.as_deref().unwrap_or(&address);
                PathBuf::from(format!("set:{}/{}", encoded(id), encoded(name)))
            }
        }
    }
}

/// Asks all live sources; gives the identities of all sources, in their order.
pub fn ask(sources: &[Source]) -> Result<(Vec<PathBuf>, Vec<Known>)> {
    let mut live = Vec::new();
    let mut identities = Vec::new();
    for source in sources {
        identities.push(match source {
            Source::Path(path) => path.clone(),
            Source::Live(uri) => {
                let known = Known::ask(uri)?;
                let identity = known.identity();
                live.push(known);
                identity
            }
        });
    }
    Ok((identities, live))
}

fn place(address: &str) -> Result<PathBuf> {
    Ok(state_home()?.join("sets").join(format!("{:016x}.json", xxh3_64(address.as_bytes()))))
}

fn remember(owner: &Owner) -> Result<()> {
    if remembered(&owner.address).as_ref() == Some(owner) {
        return Ok(());
    }
    let path = place(&owner.address)?;
    let text = serde_json::to_vec(owner).map_err(|e| Error::failed("writing", path.display(), e))?;
    path.parent().map_or(Ok(()), make_private_dir)?;
    write_private(&path, &text)
}

/// The set behind this address, the last time it was asked.
fn remembered(address: &str) -> Option<Owner> {
    let text = std::fs::read(place(address).ok()?).ok()?;
    serde_json::from_slice(&text).ok().filter(|owner: &Owner| owner.address == address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(uri: &str, id: Option<&str>) -> PathBuf {
        let address = without_secrets(uri);
        let set = Some(Owner { address, name: "rs/0".into(), id: id.map(Into::into) });
        Known { uri: uri.into(), set, unreachable: None }.identity()
    }

    #[test]
    fn a_set_is_the_same_by_whatever_address_where_its_id_is_known() {
        let (a, b) = ("mongodb://u:p@a:1/?directConnection=true", "mongodb://a:1,b:2/?replicaSet=rs");
        assert_eq!(known(a, Some("5f")), known(b, Some("5f")));
        assert_ne!(known(a, Some("5f")), known(a, Some("60")));
        assert_ne!(known(a, None), known(b, None));
        assert!(known(a, Some("5f")).is_relative());
        assert_eq!(known(a, Some("5f")).components().count(), 2);
    }
}
