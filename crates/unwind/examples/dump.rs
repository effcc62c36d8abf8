//! Shows compact unwind tables: `dump FILE…` sums up each file and all of them, `dump -r FILE` prints every row.

use std::collections::HashMap;
use std::fs::File;
use std::time::Instant;

use infrared_unwind::{CompactTable, Options, Rule, build};
use object::ReadCache;

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let rows = arguments.first().is_some_and(|first| first == "-r");
    if rows {
        arguments.remove(0);
    }
    if arguments.first().is_some_and(|first| first == "-") {
        arguments = std::io::stdin().lines().map_while(Result::ok).collect();
    }
    let mut all: HashMap<Rule, u64> = HashMap::new();
    for path in &arguments {
        let Ok(file) = File::open(path) else { continue };
        let started = Instant::now();
        match build(&ReadCache::new(file), &Options::default()) {
            Err(error) => println!("{path}: {error}"),
            Ok(table) => {
                let elapsed = started.elapsed();
                let stats = table.stats;
                println!(
                    "{path}: {} rows, {} rules, {} pages, {elapsed:?}, {stats:?}",
                    table.rows.len(),
                    table.rules.len(),
                    table.pages.len(),
                );
                if let Some(go) = &table.go {
                    println!("    {go:x?}");
                }
                if rows {
                    print_rows(&table);
                }
                for row in &table.rows {
                    *all.entry(table.rules[usize::from(row.rule)]).or_default() += 1;
                }
            }
        }
    }
    if arguments.len() > 1 {
        let mut all: Vec<_> = all.into_iter().collect();
        all.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
        println!("{} distinct rules, {} rows", all.len(), all.iter().map(|r| r.1).sum::<u64>());
        for (rule, rows) in all {
            println!("{rows:10} {rule:?}");
        }
    }
}

fn print_rows(table: &CompactTable) {
    for page in &table.pages {
        for row in table.rows_of(page) {
            let svma = (u64::from(page.index) << 16) | u64::from(row.address_low);
            println!("{svma:12x} {:?}", table.rules[usize::from(row.rule)]);
        }
    }
}
