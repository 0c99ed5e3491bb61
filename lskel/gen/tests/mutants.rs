// SPDX-License-Identifier: GPL-2.0

//! Protects the tool from damaged objects: whatever the bytes, there is an answer, and in time.

mod common;

use lskel_gen::skeleton::ByteOrder;
use lskel_gen::{input, Error};
use std::fs;

const MUTANTS: usize = 300;

/// A fixed sequence (xorshift), so that a failure can be had again.
struct Sequence(u64);

impl Sequence {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    /// Damages an object: mostly a few bytes, sometimes its end.
    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        if self.below(8) == 0 {
            bytes.truncate(self.below(bytes.len()));
            return;
        }
        for _ in 0..=self.below(4) {
            // Headers and BTF are small and matter more than their size says.
            let place = match self.below(3) {
                0 => self.below(64),
                1 => bytes.len() - 1 - self.below(bytes.len().min(2048)),
                _ => self.below(bytes.len()),
            };
            bytes[place] = match self.below(3) {
                0 => bytes[place] ^ (1 << self.below(8)),
                1 => 0xff,
                _ => self.below(256) as u8,
            };
        }
    }
}

#[test]
fn no_damaged_object_crashes_or_hangs_the_tool() {
    let mut sequence = Sequence(0x6c73_6b65_6c2d_6765);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mutant.bpf.o");
    let objects: Vec<_> = ["globals", "slots", "externs"]
        .iter()
        .flat_map(|name| {
            let input = common::compile(&common::object(&format!("{name}.bpf.c")));
            let read = |object: &input::InputObject| fs::read(&object.path).unwrap();
            input.objects.iter().map(read).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(objects.len(), 3 * ByteOrder::ALL.len());

    let (mut made, mut refused, mut crashed) = (0, 0, 0);
    for number in 0..MUTANTS {
        let mut mutant = objects[number % objects.len()].clone();
        sequence.mutate(&mut mutant);
        fs::write(&path, &mutant).unwrap();
        let result = input::collect(&[path.clone()], &common::compiler()).and_then(|inputs| {
            lskel_gen::generate(&inputs[0], &common::options(), &common::worker())
        });
        match result.map_err(root) {
            Ok(_) => made += 1,
            Err(Error::Crash { how, log }) => {
                assert!(!how.contains("longer than"), "mutant {number} hangs");
                assert!(!log.contains("Sanitizer"), "mutant {number}: {log}");
                crashed += 1;
            }
            Err(_) => refused += 1,
        }
    }
    println!("{MUTANTS} mutants: {made} made, {refused} refused, {crashed} crashed libbpf");
    assert!(made > 0 && refused > 0);
}

fn root(error: Error) -> Error {
    match error {
        Error::Object { source, .. } => root(*source),
        error => error,
    }
}
