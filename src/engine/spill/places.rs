//! Documents in mapped files as numbers, and back.

use crate::domain::{Error, Result};
use crate::engine::bson::Doc;
use crate::engine::input::Region;

/// Regions of mapped files, laid end to end: a place is a byte of that.
#[derive(Debug)]
pub struct Places<'a> {
    /// With the place at which each begins, growing.
    regions: Vec<(u64, &'a Region)>,
    /// Address and number of each, sorted by address.
    addresses: Vec<(usize, usize)>,
}

impl<'a> Places<'a> {
    pub fn new(regions: impl Iterator<Item = &'a Region>) -> Self {
        let mut end = 0;
        let regions: Vec<(u64, &Region)> = regions
            .filter(|region| !region.is_empty())
            .map(|region| {
                let start = end;
                end += region.len() as u64;
                (start, region)
            })
            .collect();
        let address = |region: &Region| region.bytes().as_ptr() as usize;
        let mut addresses: Vec<_> =
            regions.iter().enumerate().map(|(number, (_, region))| (address(region), number)).collect();
        addresses.sort_unstable();
        Places { regions, addresses }
    }

    /// Where a document is that lies in one of the regions.
    pub fn of(&self, doc: Doc<'_>) -> Result<u64> {
        let address = doc.bytes().as_ptr() as usize;
        let behind = self.addresses.partition_point(|(start, _)| *start <= address);
        let found = behind.checked_sub(1).and_then(|at| {
            let (start, number) = self.addresses.get(at)?;
            let (place, region) = self.regions.get(*number)?;
            let offset = address - start;
            (offset < region.len()).then_some(place + offset as u64)
        });
        found.ok_or_else(|| {
            Box::new(Error::failed(
                "spilling effects",
                "",
                "a document lies outside of the files that are open",
            ))
        })
    }

    /// The document at a place.
    pub fn doc(&self, place: u64) -> Result<Doc<'a>> {
        let behind = self.regions.partition_point(|(start, _)| *start <= place);
        let found = behind.checked_sub(1).and_then(|at| self.regions.get(at));
        let doc = found.and_then(|(start, region)| {
            let region: &'a Region = region;
            Doc::first(region.bytes().get((place - start) as usize..)?).ok()
        });
        doc.ok_or_else(|| {
            Box::new(
                Error::failed("reading spilled effects", format!("place {place}"), "there is no document")
                    .hint("a source has changed while it was open: run this again."),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;
    use std::sync::Arc;

    use super::*;

    fn region(documents: usize) -> Region {
        let bytes: Vec<u8> = [5u8, 0, 0, 0, 0].repeat(documents);
        Region::new(Arc::new(bytes), Arc::from(Path::new("made up")))
    }

    #[test]
    fn every_document_has_a_place_of_its_own() {
        let regions = [region(3), region(0), region(1), region(2)];
        let places = Places::new(regions.iter());
        let mut seen = Vec::new();
        for region in &regions {
            for at in (0..region.len()).step_by(5) {
                let doc = Doc::first(&region.bytes()[at..]).unwrap();
                let place = places.of(doc).unwrap();
                assert!(std::ptr::eq(places.doc(place).unwrap().bytes(), doc.bytes()));
                seen.push(place);
            }
        }
        assert_eq!(seen, [0, 5, 10, 15, 20, 25]);
        let other = region(1);
        assert!(places.of(Doc::first(other.bytes()).unwrap()).is_err());
        assert!(places.doc(30).is_err() && places.doc(4).is_err());
    }
}
