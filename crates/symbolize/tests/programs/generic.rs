// Generics, closures and iterators, for inlined calls out of the standard library.
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

trait Area {
    fn area(&self) -> f64;
}

struct Circle(f64);
struct Square(f64);

impl Area for Circle {
    fn area(&self) -> f64 {
        self.0 * self.0 * 3.25
    }
}

impl Area for Square {
    fn area(&self) -> f64 {
        self.0 * self.0
    }
}

fn total<'a>(shapes: impl Iterator<Item = &'a dyn Area>) -> f64 {
    shapes.map(|s| s.area()).fold(0.0, |a, b| a + b)
}

fn count_words(text: &str) -> BTreeMap<String, usize> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for word in text.split_whitespace() {
        *counts.entry(word).or_default() += 1;
    }
    counts.into_iter().map(|(word, n)| (word.to_uppercase(), n)).collect()
}

fn main() {
    let n = std::env::args().count();
    let circles: Vec<Circle> = (0..n * 9).map(|i| Circle(i as f64)).collect();
    let squares: Vec<Square> = (0..n * 7).map(|i| Square(i as f64 / 2.0)).collect();
    let shapes = circles.iter().map(|c| c as &dyn Area);
    let area = total(shapes.chain(squares.iter().map(|s| s as &dyn Area)));
    let text: String = std::env::vars().map(|(k, v)| format!("{k} {v} ")).collect();
    let mut out = String::new();
    for (word, n) in count_words(&text) {
        writeln!(out, "{word:>20} {n:5}").unwrap();
    }
    let mut lines: Vec<&str> = out.lines().collect();
    lines.sort_by_key(|l| std::cmp::Reverse(l.len()));
    println!("{area} {:?}", lines.first());
}
