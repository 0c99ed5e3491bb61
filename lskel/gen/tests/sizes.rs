// SPDX-License-Identifier: GPL-2.0

//! Protects users with much to load: what is too much for one loader prog of libbpf's is not for ours.

mod common;

use lskel_gen::skeleton::{ByteOrder, What};
use std::fs;

#[test]
fn five_hundred_progs_are_loaded_in_order() {
    const PROGS: usize = 500;
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("x.bpf.c");
    let mut text = String::from(
        "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\nchar LICENSE[] SEC(\"license\") = \"GPL\";\n\
         int n;\nextern void bpf_rcu_read_lock(void) __ksym;\nextern void bpf_rcu_read_unlock(void) __ksym;\n",
    );
    for prog in 0..PROGS {
        text += &format!(
            "SEC(\"tp_btf/sys_enter\") int prog{prog}(void *ctx) \
             {{ bpf_rcu_read_lock(); n += {prog}; bpf_rcu_read_unlock(); return 0; }}\n"
        );
    }
    fs::write(&source, text).unwrap();
    let input = common::compile(&source);
    for object in &input.objects {
        let request = common::options().request("x", object);
        let skeleton = lskel_gen::skeleton(&request, &common::worker()).unwrap();
        assert_eq!(skeleton.progs.len(), PROGS);
        let loads: Vec<_> = skeleton
            .commands
            .iter()
            .filter_map(|command| match command.what {
                What::LoadProg(prog) => Some(prog),
                _ => None,
            })
            .collect();
        assert_eq!(loads, (0..PROGS).collect::<Vec<_>>());
        // Each has its own name in its attr, and its own instructions.
        for (number, prog) in skeleton.progs.iter().enumerate() {
            let name = format!("prog{number}\0");
            let at = prog.attr as usize + 48;
            assert_eq!(&skeleton.data[at..at + name.len()], name.as_bytes());
        }
        // It was too much for one.
        assert_eq!(skeleton.libbpf, None);
        // Looked up once: the tracepoint and two functions.
        let finds = skeleton
            .commands
            .iter()
            .filter(|command| matches!(command.what, What::Find { .. }));
        assert_eq!(finds.count(), 3);
    }
    assert_eq!(input.objects.len(), ByteOrder::ALL.len());
}
