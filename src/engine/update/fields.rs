//! The changes to the fields of one document: found by name while the old fields are walked,
//! then given back in the update's order for those that were not met. Knows nothing of what a
//! change is.

/// Up to so many names are faster looked at one by one than searched for.
const FEW: usize = 8;

/// A change to one field.
#[derive(Debug)]
pub(super) struct Field<'a, C> {
    pub(super) name: &'a [u8],
    pub(super) change: C,
    /// The place among the new fields.
    pub(super) rank: usize,
    /// Whether the old document has the field.
    pub(super) met: bool,
}

/// Changes sorted by name, no two of one name.
#[derive(Debug)]
pub(super) struct Fields<'a, C>(Vec<Field<'a, C>>);

impl<'a, C> Fields<'a, C> {
    /// Sorts them; a name that comes twice is the error.
    pub(super) fn new(mut fields: Vec<Field<'a, C>>) -> Result<Self, &'a [u8]> {
        fields.sort_unstable_by_key(|f| f.name);
        match fields.windows(2).find(|pair| pair[0].name == pair[1].name) {
            Some(pair) => Err(pair[0].name),
            None => Ok(Fields(fields)),
        }
    }

    /// The change to the field of that name.
    pub(super) fn find(&mut self, name: &[u8]) -> Option<&mut Field<'a, C>> {
        // Most updates change a handful of fields: most names differ in length or first byte.
        if self.0.len() <= FEW {
            let same = |f: &&mut Field<'a, C>| f.name.first() == name.first() && f.name == name;
            return self.0.iter_mut().find(same);
        }
        let place = self.0.binary_search_by_key(&name, |f| f.name).ok()?;
        self.0.get_mut(place)
    }

    /// All changes by rank.
    pub(super) fn ranked(mut self) -> Vec<Field<'a, C>> {
        self.0.sort_unstable_by_key(|f| f.rank);
        self.0
    }
}
