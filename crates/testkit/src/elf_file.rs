//! Small ELF files: a shared library with nothing in it but its dynamic section.

/// `EM_X86_64`
pub const X86_64: u16 = 62;
/// `EM_AARCH64`
pub const AARCH64: u16 = 183;

/// A 64-bit ELF library. Set `machine`: its default, 0, is no machine.
#[derive(Clone, Default)]
pub struct ElfFile<'a> {
    pub machine: u16,
    pub soname: &'a str,
    pub needed: &'a [&'a str],
    pub rpath: &'a str,
    pub runpath: &'a str,
    /// Library and symbol version.
    pub versions: &'a [(&'a str, &'a str)],
    /// Functions that it defines, in tables of this kind; without any table when empty.
    pub defines: &'a [&'a str],
    pub table: HashTable,
}

/// How functions are found by their names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HashTable {
    #[default]
    Gnu,
    Old,
}

impl ElfFile<'_> {
    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut strings = vec![0];
        let mut index = |text: &str| {
            let at = strings.len() as u64;
            strings.extend(text.as_bytes());
            strings.push(0);
            at
        };
        let mut dynamic: Vec<(u64, u64)> = self.needed.iter().map(|name| (1, index(name))).collect();
        for (tag, text) in [(14, self.soname), (15, self.rpath), (29, self.runpath)] {
            if !text.is_empty() {
                dynamic.push((tag, index(text)));
            }
        }
        let mut needs = Vec::new();
        for (number, (library, version)) in self.versions.iter().enumerate() {
            let next: u32 = if number + 1 == self.versions.len() { 0 } else { 32 };
            needs.extend([1u16, 1].iter().flat_map(|half| half.to_le_bytes()));
            needs.extend([index(library) as u32, 16, next, 0].iter().flat_map(|word| word.to_le_bytes()));
            needs.extend([0u16, 2].iter().flat_map(|half| half.to_le_bytes()));
            needs.extend([index(version) as u32, 0].iter().flat_map(|word| word.to_le_bytes()));
        }
        // The file: header, two program headers, dynamic section, versions, strings. Addresses are offsets.
        let dynamic_at = 64 + 2 * 56;
        let functions: Vec<(&str, u64)> = self.defines.iter().map(|name| (*name, index(name))).collect();
        let has_table = !functions.is_empty();
        let entries = dynamic.len() + 4 + if has_table { 2 } else { 0 };
        let needs_at = dynamic_at + 16 * entries;
        let symbols_at = needs_at + needs.len();
        let symbols = if has_table { symbols(&functions) } else { Vec::new() };
        let hash_at = symbols_at + symbols.len();
        let hash = if has_table { self.hash_table() } else { Vec::new() };
        let strings_at = hash_at + hash.len();
        if has_table {
            let tag = if self.table == HashTable::Gnu { 0x6fff_fef5 } else { 4 };
            dynamic.extend([(6, symbols_at as u64), (tag, hash_at as u64)]);
        }
        let total = strings_at + strings.len();
        dynamic.extend([(5, strings_at as u64), (0x6fff_ffff, self.versions.len() as u64)]);
        dynamic.extend([(0x6fff_fffe, needs_at as u64), (0, 0)]);

        let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend([3u16, self.machine].iter().flat_map(|half| half.to_le_bytes()));
        bytes.extend(1u32.to_le_bytes());
        bytes.extend([0u64, 64, 0].iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend(0u32.to_le_bytes());
        bytes.extend([64u16, 56, 2, 64, 0, 0].iter().flat_map(|half| half.to_le_bytes()));
        for (kind, at, size) in [(1u32, 0, total), (2, dynamic_at, 16 * entries)] {
            bytes.extend([kind, 4].iter().flat_map(|word| word.to_le_bytes()));
            bytes.extend([at, at, at, size, size, 8].iter().flat_map(|word| (*word as u64).to_le_bytes()));
        }
        bytes.extend(dynamic.iter().flat_map(|(tag, value)| [*tag, *value]).flat_map(u64::to_le_bytes));
        bytes.extend(needs);
        bytes.extend(symbols);
        bytes.extend(hash);
        bytes.extend(strings);
        bytes
    }

    /// A hash table with one bucket, so that each look-up visits all symbols.
    fn hash_table(&self) -> Vec<u8> {
        let count = self.defines.len() as u32;
        let words: Vec<u32> = match self.table {
            HashTable::Gnu => {
                let hash = |name: &str| {
                    name.bytes().fold(5381u32, |hash, byte| hash.wrapping_mul(33).wrapping_add(byte.into()))
                };
                let chain = self.defines.iter().enumerate().map(|(index, name)| {
                    let is_last = index + 1 == self.defines.len();
                    hash(name) & !1 | u32::from(is_last)
                });
                // One bucket, symbols from 1 on, one word of a filter that lets all pass.
                [1, 1, 1, 0, !0, !0, 1].into_iter().chain(chain).collect()
            }
            HashTable::Old => {
                let chain = (1..=count).map(|index| if index < count { index + 1 } else { 0 });
                [1, count + 1, 1, 0].into_iter().chain(chain).collect()
            }
        };
        words.into_iter().flat_map(u32::to_le_bytes).collect()
    }
}

/// The first symbol is empty; the others are in some section.
fn symbols(functions: &[(&str, u64)]) -> Vec<u8> {
    let mut bytes = vec![0; 24];
    for (_, name) in functions {
        bytes.extend((*name as u32).to_le_bytes());
        bytes.extend([0x12, 0]);
        bytes.extend(1u16.to_le_bytes());
        bytes.extend([0; 16]);
    }
    bytes
}
