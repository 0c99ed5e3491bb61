// SPDX-License-Identifier: GPL-2.0

//! The object file itself: what is refused before libbpf sees it, and what libbpf must not see.

use crate::skeleton::ByteOrder;
use crate::{Error, Result};
use object::elf::STB_WEAK;
use object::read::elf::{ElfFile64, FileHeader as _, SectionHeader as _};
use object::{Endian as _, Endianness, Object as _, ObjectSection as _, ObjectSymbol as _};
use object::{ObjectSymbolTable as _, SymbolFlags};

/// A BPF object, parsed.
pub struct Elf<'data> {
    bytes: &'data [u8],
    file: ElfFile64<'data, Endianness>,
}

/// A symbol that the object expects from elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Extern {
    /// Its name.
    pub name: String,
    /// Whether the object can do without.
    pub weak: bool,
}

/// An entry of a section of relocations.
#[derive(Debug, Clone, Copy)]
pub struct Relocation {
    /// Where in the section that it applies to, in bytes.
    pub offset: u64,
    /// The number of the symbol.
    pub symbol: u64,
    /// The entry's place in the file.
    place: usize,
}

/// The size of an `Elf64_Rel`.
const REL_SIZE: usize = 16;

impl<'data> Elf<'data> {
    /// Reads the headers.
    pub fn parse(bytes: &'data [u8]) -> Result<Self> {
        if !bytes.starts_with(&object::elf::ELFMAG) {
            return Err(Error::Input("not an ELF file".into()));
        }
        let file = ElfFile64::parse(bytes)
            .map_err(|e| Error::Input(format!("not a whole 64-bit ELF file: {e}")))?;
        if file.architecture() != object::Architecture::Bpf {
            return Err(Error::Input(
                "not a BPF object; compile it with clang -target bpfel or bpfeb".into(),
            ));
        }
        Ok(Self { bytes, file })
    }

    /// Refuses what gen_loader cannot do, or would do wrong without a word.
    pub fn check(&self) -> Result<()> {
        if self.size(".BTF") == 0 {
            return Err(Error::unsupported(
                "the object has no BTF (section '.BTF')",
                "compile it with clang -g",
            ));
        }
        if self.size("maps") != 0 {
            return Err(Error::unsupported(
                format!(
                    "section 'maps' defines {} in the old way",
                    self.symbols_in("maps", "map")
                ),
                "define maps in SEC(\".maps\"), as BTF",
            ));
        }
        if self.size(".addr_space.1") != 0 {
            return Err(Error::unsupported(
                format!(
                    "section '.addr_space.1' has {}: a loader prog cannot write to an arena",
                    self.symbols_in(".addr_space.1", "arena global")
                ),
                "make them ordinary globals, or set them from a prog",
            ));
        }
        for section in self.file.sections() {
            let name = section.name().unwrap_or_default();
            if name == ".percpu" && section.size() != 0 {
                return Err(Error::unsupported(
                    format!(
                        "section '.percpu' has {}, which libbpf before 1.8 does not have",
                        self.symbols_in(name, "global")
                    ),
                    "put it into a map of BPF_MAP_TYPE_PERCPU_ARRAY",
                ));
            }
            if name == ".jumptables" && section.size() != 0 {
                return Err(Error::unsupported(
                    "section '.jumptables': libbpf's gen_loader has no indirect jumps",
                    "compile with clang -fno-jump-tables",
                ));
            }
        }
        Ok(())
    }

    /// What the header says.
    pub fn byte_order(&self) -> ByteOrder {
        match self.file.endian() {
            Endianness::Little => ByteOrder::Little,
            Endianness::Big => ByteOrder::Big,
        }
    }

    /// Whether the object names a license.
    pub fn has_license(&self) -> bool {
        self.section("license").is_some_and(|license| {
            license
                .data()
                .is_ok_and(|text| text.first().is_some_and(|&c| c != 0))
        })
    }

    /// The symbols that the object expects from elsewhere.
    pub fn externs(&self) -> Vec<Extern> {
        let named = |symbol: object::read::elf::ElfSymbol64<'_, '_, Endianness>| {
            let SymbolFlags::Elf { st_info, .. } = symbol.flags() else {
                return None;
            };
            let name = symbol.name().ok().filter(|name| !name.is_empty())?;
            Some(Extern {
                name: name.to_owned(),
                weak: st_info >> 4 == STB_WEAK,
            })
        };
        let symbols = self.file.symbols();
        symbols
            .filter(|symbol| symbol.is_undefined())
            .filter_map(named)
            .collect()
    }

    /// The name of a symbol.
    pub fn symbol_name(&self, index: u64) -> Option<&str> {
        let index = object::SymbolIndex(index.try_into().ok()?);
        self.file
            .symbol_table()?
            .symbol_by_index(index)
            .ok()?
            .name()
            .ok()
    }

    /// What a section holds.
    pub fn content(&self, section: &str) -> &'data [u8] {
        self.section(section)
            .and_then(|section| section.data().ok())
            .unwrap_or_default()
    }

    /// The relocations of a section.
    pub fn relocations(&self, section: &str) -> Vec<Relocation> {
        let endian = self.file.endian();
        let word = |place: usize| {
            let bytes = self.bytes.get(place..place + 8)?.try_into().ok()?;
            Some(endian.read_u64_bytes(bytes))
        };
        let Some((_, start, size)) = self.rel(section) else {
            return Vec::new();
        };
        (start..start.saturating_add(size))
            .step_by(REL_SIZE)
            .map_while(|place| {
                Some(Relocation {
                    offset: word(place)?,
                    symbol: word(place + 8)? >> 32,
                    place,
                })
            })
            .collect()
    }

    /// The object with no relocations of section `.maps` but these.
    pub fn keep_map_relocations(&self, keep: &[Relocation]) -> Vec<u8> {
        let mut bytes = self.bytes.to_vec();
        let Some((header, start, _)) = self.rel(".maps") else {
            return bytes;
        };
        for (i, relocation) in keep.iter().enumerate() {
            let entry = &self.bytes[relocation.place..relocation.place + REL_SIZE];
            bytes[start + i * REL_SIZE..][..REL_SIZE].copy_from_slice(entry);
        }
        // `sh_size` is the sixth field, after two of 4 bytes and three of 8.
        let size = (keep.len() * REL_SIZE) as u64;
        bytes[header + 32..][..8].copy_from_slice(&self.file.endian().write_u64_bytes(size));
        bytes
    }

    /// Where the relocations of a section have their header, and where in the file they start, and their size.
    fn rel(&self, section: &str) -> Option<(usize, usize, usize)> {
        let endian = self.file.endian();
        let section = self.section(&format!(".rel{section}"))?;
        let (start, size) = section.elf_section_header().file_range(endian)?;
        let header = self.file.elf_header();
        let place = header.e_shoff(endian) as usize
            + section.index().0 * usize::from(header.e_shentsize(endian));
        let (start, size) = (usize::try_from(start).ok()?, usize::try_from(size).ok()?);
        let whole = start.checked_add(size)? <= self.bytes.len();
        (whole && size % REL_SIZE == 0 && place.checked_add(40)? <= self.bytes.len())
            .then_some((place, start, size))
    }

    fn section(
        &self,
        name: &str,
    ) -> Option<object::read::elf::ElfSection64<'data, '_, Endianness>> {
        self.file
            .sections()
            .find(|section| section.name() == Ok(name))
    }

    fn size(&self, name: &str) -> u64 {
        self.section(name).map_or(0, |section| section.size())
    }

    /// As in "maps 'a', 'b'".
    fn symbols_in(&self, section: &str, what: &str) -> String {
        let index = self.section(section).map(|section| section.index());
        let names: Vec<_> = self
            .file
            .symbols()
            .filter(|symbol| symbol.section_index() == index && !symbol.is_local())
            .filter_map(|symbol| symbol.name().ok())
            .map(|name| format!("'{name}'"))
            .collect();
        let plural = if names.len() == 1 { "" } else { "s" };
        format!("{what}{plural} {}", names.join(", "))
    }
}
