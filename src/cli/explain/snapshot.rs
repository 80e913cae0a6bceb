//! `explain` of a snapshot: the areas of one moment, with the kernel's log of the failure or with given numbers.

use super::{Answer, ExplainArgs, Found, asks_nothing, event_of, window_of};
use crate::cli::error::CliError;
use crate::event::{EventKind, Seq};
use crate::insight::explain::{
    Asked, Doubt, Explanation, Ground, RangeFrom, explain, failures_of, of_message, padded, which_failure, why_here,
};
use crate::insight::{guess_page_size, span};
use crate::log::{Baseline, Log, Pointers, Window};
use crate::policy::Release;
use crate::policy::rules::rules_for;

/// Answers.
///
/// # Errors
/// There is no list of areas, or nothing was asked.
pub(super) fn answer(args: &ExplainArgs, log: &Log) -> Result<Answer, CliError> {
    let Some(baseline) = log.after.as_ref().or(log.before.as_ref()) else {
        return Err(CliError::Other {
            what: format!("{} tells of a failure, but not of what lay where", log.origin.name),
            hint: "name /proc/vmallocinfo of that machine too, read right after the failure as root".to_owned(),
        });
    };
    let page_size = args.input.page_size.or(log.origin.page_size).unwrap_or_else(|| guess_page_size(baseline));
    let failures = failures_of(log);
    let place = Place { args, log, baseline, page_size };
    if let Some(addr) = args.at {
        return place.here(addr).map(|found| Answer { found, failures, told: None });
    }
    if let Some(size) = args.size.or(args.data) {
        let ground = place.ground(None);
        let asked = place.asked_of_option(size, &ground);
        let told = place.explained(&ground, asked, None);
        return Ok(Answer { found: Found::Request(Box::new(told)), failures, told: None });
    }
    let Some(seq) = event_of(args, log)?.or_else(|| which_failure(log, &failures)) else {
        let what = if log.events.is_empty() {
            "nothing was asked: a list of areas has no failure in it"
        } else {
            "the message of the kernel's log tells no size"
        };
        return Err(CliError::Other {
            what: what.to_owned(),
            hint: "--dmesg FILE names the kernel's log of the failure; --size N asks, --at ADDR says why an area lies there"
                .to_owned(),
        });
    };
    let told = place.failure(seq).ok_or_else(|| asks_nothing(seq, log, &failures))?;
    Ok(Answer { found: Found::Request(Box::new(told)), failures, told: Some(seq) })
}

/// Every failure that the log tells, explained.
///
/// # Errors
/// As [`answer`].
pub(super) fn each(args: &ExplainArgs, log: &Log) -> Result<Vec<(Seq, Explanation)>, CliError> {
    let Some(baseline) = log.after.as_ref().or(log.before.as_ref()) else {
        return answer(args, log).map(|_| Vec::new());
    };
    let page_size = args.input.page_size.or(log.origin.page_size).unwrap_or_else(|| guess_page_size(baseline));
    let place = Place { args, log, baseline, page_size };
    Ok(failures_of(log).into_iter().filter_map(|seq| Some((seq, place.failure(seq)?))).collect())
}

struct Place<'a> {
    args: &'a ExplainArgs,
    log: &'a Log,
    baseline: &'a Baseline,
    page_size: u64,
}

impl Place<'_> {
    /// What the file shows of the range, which is the window of the request where no more is known.
    fn ground(&self, told: Option<Window>) -> Ground {
        let asked = window_of(&self.args.input).map(|window| (window, RangeFrom::Option));
        let told = asked.or(told.map(|window| (window, RangeFrom::Request)));
        let whole = self.log.origin.vmalloc.map(|window| (window, RangeFrom::Input));
        // A window of its own, as modules have it, is a range of its own.
        let holds = |whole: &Window, part: &Window| whole.vstart <= part.vstart && part.vend <= whole.vend;
        let range = match (whole, told) {
            (Some(whole), Some(told)) if holds(&whole.0, &told.0) => Some(whole),
            (whole, told) => told.or(whole),
        };
        Ground::of_snapshot(self.baseline, range, self.page_size)
    }

    fn asked_of_option(&self, size: u64, ground: &Ground) -> Asked {
        let Self { args, page_size, .. } = *self;
        let window = window_of(&args.input).unwrap_or(ground.range);
        match args.data {
            Some(data) => Asked::of_data(data, page_size, args.align, window),
            None => Asked::of_option(size, page_size, args.align, window),
        }
    }

    /// One failure.
    fn failure(&self, seq: Seq) -> Option<Explanation> {
        let told = match self.log.get(seq)?.kind {
            EventKind::Report { text, .. } => parsers::dmesg::failure(self.log.names.text(text))?.window,
            _ => None,
        };
        let ground = self.ground(told.map(|(vstart, vend)| Window { vstart, vend }));
        let asked = of_message(self.log, seq, &ground, self.args.align, window_of(&self.args.input))?;
        Some(self.explained(&ground, asked, Some(Doubt::AnotherMoment)))
    }

    fn explained(&self, ground: &Ground, mut asked: Asked, doubt: Option<Doubt>) -> Explanation {
        asked.doubts.extend(doubt);
        let release = self.args.input.kernel.as_deref().or(self.log.origin.kernel.as_deref());
        let rules = release.and_then(Release::parse).and_then(rules_for);
        asked.doubts.extend(padded(rules.as_ref(), &asked, ground.page_size));
        explain(ground, asked, None)
    }

    /// Why an area lies where it lies.
    fn here(&self, addr: u64) -> Result<Found, CliError> {
        if self.baseline.pointers != Pointers::Real {
            return Err(CliError::Other {
                what: "the file shows no addresses, so none can be looked at".to_owned(),
                hint: "read it as root with kernel.kptr_restrict=1".to_owned(),
            });
        }
        let row = self.baseline.areas.iter().find(|row| row.start <= addr && addr < row.end);
        let Some(row) = row else {
            return Err(CliError::Other {
                what: format!("no area of the file contains 0x{addr:x}"),
                hint: "vmaplens inspect FILE says what is in it".to_owned(),
            });
        };
        // An area of another range, such as a module's, has that as its window: from the areas around it, since nobody
        // tells.
        let known = span(self.baseline).filter(|range| range.vstart <= row.start && row.end <= range.vend);
        let ground = self.ground(known);
        let Some(area) = crate::model::Extent::new(row.start, row.end) else {
            return Err(CliError::Other {
                what: "the area is empty".to_owned(),
                hint: "the row is damaged".to_owned(),
            });
        };
        let window = window_of(&self.args.input).unwrap_or(ground.range);
        let mut asked = Asked::of_row(self.baseline, row, self.page_size, window);
        if let Some(align) = self.args.align {
            (asked.align, asked.doubts) = (align, Vec::new());
        }
        asked.doubts.extend(&ground.doubts);
        let is_chunk = row.kind() == "per-CPU";
        let told = why_here(&ground, area, asked.clone(), None, is_chunk);
        Ok(Found::Here(Box::new(told), Box::new(explain(&ground, asked, None))))
    }
}
