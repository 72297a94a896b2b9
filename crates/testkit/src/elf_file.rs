//! Small ELF files: a shared library with nothing in it but its dynamic section.

pub const X86_64: u16 = 62;
pub const AARCH64: u16 = 183;

#[derive(Clone, Default)]
pub struct ElfFile<'a> {
    pub machine: u16,
    pub soname: &'a str,
    pub needed: &'a [&'a str],
    pub rpath: &'a str,
    pub runpath: &'a str,
    /// Library and symbol version.
    pub versions: &'a [(&'a str, &'a str)],
}

impl ElfFile<'_> {
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
        let entries = dynamic.len() + 4;
        let needs_at = dynamic_at + 16 * entries;
        let strings_at = needs_at + needs.len();
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
        bytes.extend(strings);
        bytes
    }
}
