//! Growth over snapshots: what is planted is found, what comes and goes is no leak, and neither addresses nor the order
//! of lines matter.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use vmaplens::insight::growth::{Clock, Course, Key, judge};
use vmaplens::insight::{By, History, Measure, Totals, Verdict, summarize};
use vmaplens::log::Baseline;
use vmaplens::source::snapshot;

fn judged(values: &[u64]) -> Verdict {
    let course = Course::new(values).expect("values");
    judge(&course, &course)
}

fn grows(values: &[u64]) -> bool {
    matches!(judged(values), Verdict::Grows { .. })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Stacks come and go, up to `noise` of them; one in `every` snapshots leaks an area.
    #[test]
    fn a_leak_in_noise_is_found(noise in vec(0_u64..40, 200..400), every in 1_usize..4, start in 1_u64..1000) {
        let values: Vec<u64> = noise.iter().enumerate().map(|(n, noise)| start + (n / every) as u64 + noise).collect();
        prop_assert!(grows(&values), "{:?}: {values:?}", judged(&values));
    }

    /// Without noise five snapshots do.
    #[test]
    fn a_plain_leak_is_found_at_once(steps in vec(1_u64..50, 5..60), start in 1_u64..1000) {
        // Steps that are not too different: what grew in the first half alone is a plateau.
        let values: Vec<u64> = steps.iter().scan(start, |at, step| { *at += 50 + step; Some(*at) }).collect();
        prop_assert!(grows(&values), "{:?}: {values:?}", judged(&values));
    }

    /// What waits for a purge grows until there is one.
    #[test]
    fn a_sawtooth_is_no_leak(
        period in 3_usize..50, n_periods in 2_usize..20, phase in 0_usize..50, step in 1_u64..100, floor in 1_u64..100,
    ) {
        let n = period * n_periods;
        let values: Vec<u64> = (0..n).map(|n| floor + step * ((n + phase) % period) as u64).collect();
        let verdict = judged(&values);
        prop_assert!(
            matches!(verdict, Verdict::Sawtooth { .. } | Verdict::Shrinks { .. }) || n < 8,
            "{verdict:?}: {values:?}"
        );
        prop_assert!(!grows(&values), "{values:?}");
    }

    /// A ramp that ends, in noise, is no leak.
    #[test]
    fn a_plateau_is_no_leak(noise in vec(0_u64..20, 100..300), ramp in 5_usize..40, rise in 100_u64..1000) {
        let level = |n: usize| rise * n.min(ramp) as u64 / ramp as u64;
        let values: Vec<u64> = noise.iter().enumerate().map(|(n, noise)| 10 + level(n) + noise).collect();
        prop_assert!(!grows(&values), "{:?}: {values:?}", judged(&values));
    }

    /// Looked at upside down, what grows shrinks.
    #[test]
    fn shrinking_is_growing_upside_down(values in vec(1_u64..100, 5..60)) {
        let mirrored: Vec<u64> = values.iter().map(|value| 1000 - value).collect();
        if grows(&values) {
            prop_assert!(matches!(judged(&mirrored), Verdict::Shrinks { .. }), "{values:?}");
        }
    }

    /// Pages or bytes, small or large: the shape counts.
    #[test]
    fn a_verdict_is_about_values_and_not_about_their_size(values in vec(1_u64..100, 2..40), by in 1_u64..1000) {
        let scaled: Vec<u64> = values.iter().map(|value| value * 4 * by).collect();
        let times_four: Vec<u64> = values.iter().map(|value| value * 4).collect();
        prop_assert_eq!(judged(&times_four).word(), judged(&scaled).word());
    }

    /// The rate is that of a plain least squares fit.
    #[test]
    fn the_rate_is_the_slope(points in vec((0.1_f64..100.0, 0_u64..1_000_000), 2..50)) {
        let times: Vec<f64> = points.iter().scan(1e6, |at, (step, _)| { *at += step; Some(*at) }).collect();
        let values: Vec<u64> = points.iter().map(|(_, value)| *value).collect();
        let (n, start) = (points.len() as f64, times[0]);
        let mean = |of: &dyn Fn(usize) -> f64| (0..points.len()).map(of).sum::<f64>() / n;
        let (mt, mv) = (mean(&|i| times[i] - start), mean(&|i| values[i] as f64));
        let over = mean(&|i| (times[i] - start - mt) * (values[i] as f64 - mv));
        let under = mean(&|i| (times[i] - start - mt).powi(2));
        let clock = Clock::new(&times.iter().copied().map(Some).collect::<Vec<_>>()).expect("times");
        let slope = clock.per_second(&Course::new(&values).expect("values")).expect("a slope");
        prop_assert!((slope - over / under).abs() <= 1e-6 * (1.0 + slope.abs()), "{slope} {}", over / under);
    }
}

/// Chance makes few leaks: of random orders less than one in a hundred.
#[test]
fn noise_alone_is_seldom_a_leak() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for n in [5, 6, 7, 8, 12, 30, 200] {
        let found = (0..3000).filter(|_| grows(&(0..n).map(|_| 1 + random() % 1000).collect::<Vec<_>>())).count();
        assert!(found <= 30, "{n} snapshots: {found} of 3000");
    }
}

/// One row of a file: caller, size in pages, data pages, whether it is lazily freed.
type Row = (usize, u64, u64, bool);

const CALLERS: [&str; 5] = [
    "dup_task_struct+0x5a/0x7d0",
    "bpf_prog_alloc_no_stats+0x48/0x2a0",
    "move_module.isra.0+0x12/0x80 [nf_tables]",
    "alloc_ring+0x1/0x2 [snd]",
    "0xffffffffc0de1234",
];

/// The file of some rows, with addresses as `address` shows them.
fn file(rows: &[Row], address: impl Fn(u64) -> u64) -> Baseline {
    let mut at = 0xffff_c900_0000_0000_u64;
    let mut text = String::new();
    for &(caller, size, pages, is_lazy) in rows {
        let bytes = (size + 1) * 4096;
        let (start, end) = (address(at), address(at + bytes));
        let what = if is_lazy {
            "unpurged vm_area".to_owned()
        } else {
            format!("{} pages={} vmalloc", CALLERS[caller], pages.clamp(1, size))
        };
        text.extend([format!("{start:#018x}-{end:#018x} {bytes:7} {what}\n")]);
        at += bytes + 8192;
    }
    snapshot::read("text", text.as_bytes(), &mut Vec::new()).expect("rows")
}

fn history(files: &[Baseline], limit: usize) -> History {
    let mut history = History::new(limit);
    for (n, file) in files.iter().enumerate() {
        history.push(&summarize(file, 4096).by_caller, Some(n as f64 * 2.0));
    }
    history
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    vec((0_usize..CALLERS.len(), 1_u64..20, 1_u64..20, any::<bool>()), 1..20)
}

/// What a plain sum over rows gives.
fn plain(file: &Baseline, by: By) -> BTreeMap<(String, String), Totals> {
    let mut sums: BTreeMap<_, Totals> = BTreeMap::new();
    for area in &file.areas {
        let caller = area.caller.split(".isra").next().unwrap_or_default();
        let caller = if caller.starts_with("0x") { "(no symbol)" } else { caller };
        let module = area.module.clone().unwrap_or_default();
        let key = match by {
            By::Caller => (caller.to_owned() + &module, area.kind().to_owned()),
            By::Module => (module, String::new()),
            By::Kind => (String::new(), area.kind().to_owned()),
        };
        let sum = sums.entry(key).or_default();
        sum.areas += 1;
        sum.virtual_bytes += area.size;
        sum.pages += area.pages;
    }
    sums
}

fn named(key: &Key) -> (String, String) {
    let caller = key.caller.clone().unwrap_or_default();
    (caller + key.module.as_deref().unwrap_or_default(), key.kind.to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_history_holds_every_snapshot(snapshots in vec(rows(), 1..12), limit in 1_usize..12) {
        let files: Vec<Baseline> = snapshots.iter().map(|rows| file(rows, |at| at)).collect();
        let history = history(&files, limit);
        let kept = history.snapshots();
        prop_assert_eq!(kept.end, files.len());
        prop_assert!(limit.min(files.len()) <= kept.len() && kept.len() <= limit + limit / 8);
        for number in kept.clone() {
            for by in [By::Caller, By::Module, By::Kind] {
                let held: BTreeMap<_, _> =
                    history.at(number, by).into_iter().map(|(key, totals)| (named(&key), totals)).collect();
                prop_assert_eq!(&held, &plain(&files[number], by));
            }
        }
        // Growth is the difference, and the chart of as many columns as snapshots is every value.
        for by in [By::Caller, By::Module, By::Kind] {
            for row in history.growth(kept.clone(), kept.start, by, Measure::Pages) {
                let values: Vec<u64> = kept.clone().map(|number| {
                    let at = history.at(number, by);
                    at.iter().find(|(key, _)| *key == row.key).map_or(0, |(_, totals)| totals.pages)
                }).collect();
                prop_assert_eq!(&history.columns(&row.key, kept.clone(), by, Measure::Pages, 1000), &values);
                prop_assert_eq!(row.since_first(Measure::Pages), i128::from(values[values.len() - 1]) - i128::from(values[0]));
                prop_assert_eq!(row.since_first(Measure::Pages), row.since_base(Measure::Pages));
            }
        }
    }

    /// Lines in any order, addresses hashed or hidden, other offsets: the same answers.
    #[test]
    fn neither_addresses_nor_the_order_of_lines_matter(snapshots in vec(rows(), 2..10), key in any::<u64>()) {
        let real: Vec<Baseline> = snapshots.iter().map(|rows| file(rows, |at| at)).collect();
        let hash = |at: u64| (at ^ key).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let hashed: Vec<Baseline> = snapshots.iter().map(|rows| {
            let mut rows = rows.clone();
            rows.reverse();
            let by = key as usize % rows.len();
            rows.rotate_left(by);
            file(&rows, hash)
        }).collect();
        let hidden: Vec<Baseline> = snapshots.iter().map(|rows| file(rows, |_| 0)).collect();
        for by in [By::Caller, By::Module, By::Kind] {
            let answer = |files: &[Baseline]| {
                let history = history(files, usize::MAX);
                history.growth(history.snapshots(), 0, by, Measure::Virtual)
            };
            prop_assert_eq!(answer(&real), answer(&hashed));
            prop_assert_eq!(answer(&real), answer(&hidden));
        }
    }
}

/// What a screen that takes a snapshot every two seconds keeps in six hours.
#[test]
fn a_long_history_keeps_changes_only() {
    let groups: Vec<String> = (0..500).map(|n| format!("caller_{n}")).collect();
    let mut history = History::new(10_000);
    for number in 0..12_000_u64 {
        let of = |n: usize, name| {
            let n_areas = if n < 10 { 1 + (number + n as u64) % 7 } else { 3 };
            let totals = Totals { areas: n_areas, virtual_bytes: n_areas * 20480, pages: n_areas * 4 };
            vmaplens::insight::Group { caller: Some(name), module: None, kind: "vmalloc", totals }
        };
        let rows: Vec<_> = groups.iter().enumerate().map(|(n, name)| of(n, name.as_str())).collect();
        history.push(&rows, Some(number as f64 * 2.0));
    }
    let kept = history.snapshots();
    assert_eq!(kept.end, 12_000);
    assert!((10_000..=11_250).contains(&kept.len()), "{kept:?}");
    assert!(history.n_changes() <= 10 * kept.len() + 500, "{}", history.n_changes());
    let rows = history.growth(kept.clone(), kept.start, By::Caller, Measure::Virtual);
    assert_eq!(rows.len(), 500);
    assert!(rows.iter().all(|row| matches!(row.verdict, Verdict::Steady | Verdict::Sawtooth { .. })));
}
