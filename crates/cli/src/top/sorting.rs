//! Which table a live view shows, in which order.

use std::cmp::Reverse;

use super::picture::Picture;

/// What the rows are sorted by, largest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Order {
    /// Services by CPU, functions by what they themselves use.
    #[default]
    Own,
    /// Functions with what they call.
    Total,
    Name,
}

impl Order {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Own => Self::Total,
            Self::Total => Self::Name,
            Self::Name => Self::Own,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Own => "CPU",
            Self::Total => "total CPU",
            Self::Name => "name",
        }
    }

    pub(super) fn sort(self, picture: &mut Picture) {
        match self {
            Self::Own => {
                picture.services.sort_by_key(|row| Reverse(row.samples));
                picture.functions.sort_by_key(|row| Reverse(row.samples));
            }
            Self::Total => {
                picture.services.sort_by_key(|row| Reverse(row.samples));
                picture.functions.sort_by(|a, b| b.total_cpu.total_cmp(&a.total_cpu));
            }
            Self::Name => {
                picture.services.sort_by(|a, b| a.service.cmp(&b.service));
                picture.functions.sort_by(|a, b| a.function.cmp(&b.function));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::picture::FunctionRow;

    #[test]
    fn rows_follow_the_order() {
        let row = |function: &str, samples, total_cpu| FunctionRow {
            function: function.into(),
            module: String::new(),
            self_cpu: 0.0,
            total_cpu,
            samples,
        };
        let functions = vec![row("b", 1, 3.0), row("c", 3, 1.0), row("a", 2, 2.0)];
        let mut picture = Picture { functions, ..Picture::default() };
        for (order, names) in [(Order::Own, "cab"), (Order::Total, "bac"), (Order::Name, "abc")] {
            order.sort(&mut picture);
            let found: String = picture.functions.iter().map(|row| &*row.function).collect();
            assert_eq!(found, names, "{order:?}");
        }
    }
}
