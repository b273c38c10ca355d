//! The text of a scrape, in the two formats that Prometheus reads: its own (0.0.4) and OpenMetrics 1.0.
//! Knows nothing of what is counted.

use std::fmt::Write;

use crate::server::Latencies;

/// Which format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    Prometheus,
    OpenMetrics,
}

impl Dialect {
    pub const fn content_type(self) -> &'static str {
        match self {
            Dialect::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Dialect::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The one that an `Accept` header likes better (RFC 9110 §12.5.1); Prometheus' own where it has
    /// no wish.
    pub fn wanted(accept: &str) -> Dialect {
        let weight = |wanted: &str| {
            let ranges = accept.split(',').map(str::trim);
            let weights = ranges.filter(|range| {
                let name = range.split(';').next().unwrap_or_default().trim();
                name.eq_ignore_ascii_case(wanted)
            });
            weights.map(quality).fold(0.0, f64::max)
        };
        let open = weight("application/openmetrics-text");
        match open > 0.0 && open >= weight("text/plain") {
            true => Dialect::OpenMetrics,
            false => Dialect::Prometheus,
        }
    }
}

fn quality(range: &str) -> f64 {
    let parameters = range.split(';').skip(1).map(str::trim);
    let quality = parameters.filter_map(|parameter| parameter.strip_prefix("q="));
    quality
        .last()
        .map_or(1.0, |value| value.parse().unwrap_or(0.0))
}

/// Labels as they stand between braces.
#[derive(Clone, Default, Debug)]
pub struct Labels(String);

impl Labels {
    pub fn of(name: &str, value: &str) -> Labels {
        Labels::default().with(name, value)
    }

    pub fn with(&self, name: &str, value: &str) -> Labels {
        let mut text = String::with_capacity(self.0.len() + name.len() + value.len() + 4);
        text.push_str(&self.0);
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(name);
        text.push_str("=\"");
        for letter in value.chars() {
            match letter {
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                '\n' => text.push_str("\\n"),
                other => text.push(other),
            }
        }
        text.push('"');
        Labels(text)
    }
}

pub struct Page {
    dialect: Dialect,
    text: String,
}

/// One metric, of which values are written.
pub struct Series<'a> {
    text: &'a mut String,
    name: &'static str,
    suffix: &'static str,
}

impl Page {
    pub fn new(dialect: Dialect) -> Page {
        Page {
            dialect,
            text: String::new(),
        }
    }

    pub fn gauge(&mut self, name: &'static str, help: &str) -> Series<'_> {
        self.describe(name, "gauge", "", help)
    }

    /// `_total` is appended to its name.
    pub fn counter(&mut self, name: &'static str, help: &str) -> Series<'_> {
        self.describe(name, "counter", "_total", help)
    }

    pub fn histogram(&mut self, name: &'static str, help: &str) -> Series<'_> {
        self.describe(name, "histogram", "", help)
    }

    /// One without labels.
    pub fn one(&mut self, name: &'static str, help: &str, value: f64) {
        self.gauge(name, help).value(&Labels::default(), value);
    }

    fn describe(
        &mut self,
        name: &'static str,
        kind: &str,
        suffix: &'static str,
        help: &str,
    ) -> Series<'_> {
        // OpenMetrics describes a counter without the suffix of its values.
        let described = match self.dialect {
            Dialect::Prometheus => suffix,
            Dialect::OpenMetrics => "",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "# HELP {name}{described} {help}");
        let _ = writeln!(self.text, "# TYPE {name}{described} {kind}");
        Series {
            text: &mut self.text,
            name,
            suffix,
        }
    }

    pub fn finish(mut self) -> String {
        if self.dialect == Dialect::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

impl Series<'_> {
    pub fn value(&mut self, labels: &Labels, value: f64) {
        let suffix = self.suffix;
        self.line(suffix, labels, value);
    }

    pub fn latencies(&mut self, labels: &Labels, latencies: &Latencies) {
        for (bound, count) in latencies.cumulative() {
            // Both formats take "1.0", OpenMetrics no "1".
            let bound = format!("{:?}", bound.as_secs_f64());
            self.line("_bucket", &labels.with("le", &bound), count as f64);
        }
        let count = latencies.count() as f64;
        self.line("_bucket", &labels.with("le", "+Inf"), count);
        self.line("_sum", labels, latencies.sum().as_secs_f64());
        self.line("_count", labels, count);
    }

    fn line(&mut self, suffix: &str, labels: &Labels, value: f64) {
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        if !labels.0.is_empty() {
            self.text.push('{');
            self.text.push_str(&labels.0);
            self.text.push('}');
        }
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, " {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_the_one_that_is_asked_for() {
        let cases = [
            ("nothing is asked for", "", Dialect::Prometheus),
            ("curl", "*/*", Dialect::Prometheus),
            (
                "a browser",
                "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
                Dialect::Prometheus,
            ),
            (
                "Prometheus 2",
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Dialect::OpenMetrics,
            ),
            (
                "Prometheus 3",
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                 application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
                 text/plain;version=0.0.4;q=0.2,/;q=0.1",
                Dialect::OpenMetrics,
            ),
            (
                "its own format first",
                "text/plain;version=0.0.4;q=0.9, application/openmetrics-text;q=0.5",
                Dialect::Prometheus,
            ),
            (
                "no OpenMetrics at all",
                "application/openmetrics-text;q=0, */*",
                Dialect::Prometheus,
            ),
        ];
        for (name, accept, dialect) in cases {
            assert_eq!(Dialect::wanted(accept), dialect, "{name}");
        }
    }

    fn page(dialect: Dialect) -> String {
        let mut page = Page::new(dialect);
        let labels = Labels::of("client", "a \"b\"\\\n").with("asn", "1");
        page.counter("rialto_octets", "Octets")
            .value(&labels, 9_007_199_254_740_992.0);
        page.one("rialto_share", "A share", 0.25);
        page.gauge("rialto_nothing", "None of it");
        page.finish()
    }

    #[test]
    fn the_two_formats_differ_in_how_counters_are_described_and_in_the_end() {
        let values =
            "rialto_octets_total{client=\"a \\\"b\\\"\\\\\\n\",asn=\"1\"} 9007199254740992\n";
        let rest = "# HELP rialto_share A share\n# TYPE rialto_share gauge\nrialto_share 0.25\n\
                    # HELP rialto_nothing None of it\n# TYPE rialto_nothing gauge\n";
        assert_eq!(
            page(Dialect::Prometheus),
            format!(
                "# HELP rialto_octets_total Octets\n# TYPE rialto_octets_total counter\n{values}{rest}"
            )
        );
        assert_eq!(
            page(Dialect::OpenMetrics),
            format!(
                "# HELP rialto_octets Octets\n# TYPE rialto_octets counter\n{values}{rest}# EOF\n"
            )
        );
    }

    #[test]
    fn a_histogram_has_each_bound_in_seconds_and_all_of_it_under_infinity() {
        let mut latencies = Latencies::default();
        for us in [50, 1_000, 40_000_000] {
            latencies.record(std::time::Duration::from_micros(us));
        }
        let mut page = Page::new(Dialect::Prometheus);
        page.histogram("took_seconds", "How long")
            .latencies(&Labels::of("core", "0"), &latencies);
        let text = page.finish();
        for line in [
            "# TYPE took_seconds histogram",
            "took_seconds_bucket{core=\"0\",le=\"0.0001\"} 1",
            "took_seconds_bucket{core=\"0\",le=\"0.001\"} 2",
            "took_seconds_bucket{core=\"0\",le=\"1.0\"} 2",
            "took_seconds_bucket{core=\"0\",le=\"+Inf\"} 3",
            "took_seconds_sum{core=\"0\"} 40.00105",
            "took_seconds_count{core=\"0\"} 3",
        ] {
            assert!(
                text.lines().any(|it| it == line),
                "{line} is not in\n{text}"
            );
        }
    }
}
