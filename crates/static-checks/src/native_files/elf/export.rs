//! Whether a library defines a function, looked up in its hash table as the dynamic loader does.

use object::elf::{self, Sym64};
use object::read::ReadRef;
use object::{Endianness, U32};

use super::ElfReader;

/// Longer chains than any real table has.
const MAX_CHAIN: u32 = 1 << 16;

/// Addresses in memory, from the dynamic section.
pub(crate) struct SymbolTables {
    pub symbols: Option<u64>,
    pub gnu_hash: Option<u64>,
    pub hash: Option<u64>,
}

impl<'data, R: ReadRef<'data>> ElfReader<'data, R> {
    /// `None` if the tables cannot answer.
    pub(super) fn defines(&self, tables: &SymbolTables, strings: u64, name: &str) -> Option<bool> {
        let symbols = self.offset_of(tables.symbols?)?;
        let is_it = |index: u32| self.is_definition(symbols, strings, index, name);
        match (tables.gnu_hash, tables.hash) {
            (Some(address), _) => self.in_gnu_table(self.offset_of(address)?, name, is_it),
            (None, Some(address)) => self.in_old_table(self.offset_of(address)?, name, is_it),
            (None, None) => None,
        }
    }

    fn in_gnu_table(&self, at: u64, name: &str, is_it: impl Fn(u32) -> Option<bool>) -> Option<bool> {
        let wanted = elf::gnu_hash(name.as_bytes());
        let [buckets, first, bloom] = [0, 4, 8].map(|offset| self.word(at.checked_add(offset)?));
        let (buckets, first, bloom) = (buckets?, first?, bloom?);
        let buckets_at = at.checked_add(16)?.checked_add(u64::from(bloom) * 8)?;
        let chains_at = buckets_at.checked_add(u64::from(buckets) * 4)?;
        let bucket = wanted.checked_rem(buckets)?;
        let start = self.word(buckets_at.checked_add(u64::from(bucket) * 4)?)?;
        if start < first {
            return Some(false);
        }
        for index in start..start.checked_add(MAX_CHAIN)? {
            let hash = self.word(chains_at.checked_add(u64::from(index - first) * 4)?)?;
            if hash | 1 == wanted | 1 && is_it(index)? {
                return Some(true);
            }
            if hash & 1 == 1 {
                return Some(false);
            }
        }
        None
    }

    fn in_old_table(&self, at: u64, name: &str, is_it: impl Fn(u32) -> Option<bool>) -> Option<bool> {
        let (buckets, chains) = (self.word(at)?, self.word(at.checked_add(4)?)?);
        let entry = |index: u32| self.word(at.checked_add(8)?.checked_add(u64::from(index) * 4)?);
        let mut index = entry(elf::hash(name.as_bytes()).checked_rem(buckets)?)?;
        for _ in 0..MAX_CHAIN {
            if index == 0 {
                return Some(false);
            }
            if is_it(index)? {
                return Some(true);
            }
            index = entry(buckets.checked_add(index).filter(|_| index < chains)?)?;
        }
        None
    }

    fn is_definition(&self, symbols: u64, strings: u64, index: u32, name: &str) -> Option<bool> {
        let at = symbols.checked_add(u64::from(index) * size_of::<Sym64<Endianness>>() as u64)?;
        let symbol: &Sym64<Endianness> = self.data.read_at(at).ok()?;
        let is_named = self.text(strings, symbol.st_name.get(self.endian).into()).ok()? == name;
        Some(is_named && symbol.st_shndx.get(self.endian) != elf::SHN_UNDEF)
    }

    fn word(&self, at: u64) -> Option<u32> {
        self.data.read_at::<U32<Endianness>>(at).ok().map(|word| word.get(self.endian))
    }
}
