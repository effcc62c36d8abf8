//! Seeds that are text.

use crate::Seed;

const SEEDS: [(&str, &str, &str); 11] = [
    ("demangling", "cpp", "N4shop4Cart3addERKSt6vectorIiSaIiEES4_PFvRA4_KcEDpT_"),
    (
        "demangling",
        "rust_v0",
        "NvMs0_NtCs1234_7mycrate3fooINtB5_3BarNtNtC3std6string6StringKj8_E3baz",
    ),
    ("demangling", "rust_legacy", "N4core3ops8function6FnOnce9call_once17h0123456789abcdefE"),
    ("demangling", "d", "4shop__T3fixTSQo4CartVAyaa2_6162Z3fixMxFQxDFNaKiZvZQq"),
    ("demangling", "swift", "4main8ListViewV04showB05items_ySaySiG_SitYaKFyycfU_SS_Tg5TA"),
    (
        "folded",
        "stacks",
        "shop;main;walk;walk 5\nshop;main;parse;ksys_read_[k] 3\nshop;[truncated: no table];0x7f001000 1\n",
    ),
    (
        "kallsyms",
        "kernel",
        "ffffffff81000000 T _text\nffffffff81001000 t do_one_initcall\nffffffffc0000000 t nf_hook\t[nf_tables]\n\
         ffffffffc0100000 t bpf_prog_6deef7357e7b4530_on_cpu\t[bpf]\n0000000000000000 A fixed_percpu_data\n",
    ),
    ("kallsyms", "masked", "0000000000000000 T _text\n0000000000000000 T schedule\n"),
    (
        "mappings",
        "process",
        "55d0c0000000-55d0c0001000 r-xp 00001000 fe:00 1234   /usr/bin/cat\n\
         7f0000000000-7f0000021000 r-xp 00000000 00:05 9      /memfd:jit (deleted)\n\
         7ffd1000-7ffd3000 r-xp 00000000 00:00 0              [vdso]\n",
    ),
    (
        "perf_map",
        "node",
        "7f0000001000 40 LazyCompile:*handle /srv/shop.js:12\n7f0000001040 20 Builtin:ArrayMap\n",
    ),
    (
        "perf_map",
        "jvm",
        "0x7f00dead0000 0x80 Ljava/util/HashMap;::get\n7f00dead0080 10 Interpreter\n\n",
    ),
];

pub(crate) fn seeds() -> Vec<Seed> {
    SEEDS.map(|(target, name, text)| Seed { target, name, bytes: text.into() }).to_vec()
}
