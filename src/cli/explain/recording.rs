//! `explain` of a recording: the state of the model at the moment of the request.

use std::sync::Arc;

use super::{Answer, ExplainArgs, Found, asks_nothing, event_of, window_of};
use crate::cli::decisions;
use crate::cli::error::CliError;
use crate::event::{EventKind, Seq};
use crate::insight::explain::{
    Asked, Explanation, Ground, Moment, explain, failures_of, of_message, which_failure, why_here_in,
};
use crate::log::Log;
use crate::model::Request;
use crate::replay::{Follow, Replay, Settings};

/// The replay; `--range` is the range of the machine only where the recording tells none.
pub(super) fn replay_of(args: &ExplainArgs, log: Arc<Log>) -> Result<Replay, CliError> {
    let is_told = log.origin.vmalloc.is_some() || !log.names.windows().is_empty();
    let range = args.input.range.filter(|_| !is_told);
    // What is behind the areas decides no address.
    let settings = Settings { memory: Follow::Nothing, range, ..args.input.settings() };
    let replay = Replay::open(log, &settings)?;
    decisions::report(replay.plan(), &args.input);
    Ok(replay)
}

/// Answers.
///
/// # Errors
/// The recording cannot be replayed, or the event that was asked for asks for nothing.
pub(super) fn answer(args: &ExplainArgs, log: Arc<Log>) -> Result<(Answer, Arc<Log>), CliError> {
    let mut replay = replay_of(args, log)?;
    let failures = failures_of(replay.log());
    let event = event_of(args, replay.log())?;
    let (found, told) = if let Some(addr) = args.at {
        (here(&mut replay, addr, event)?, None)
    } else if let Some(size) = args.size.or(args.data) {
        (Found::Request(Box::new(option(args, &mut replay, size, event))), None)
    } else {
        match event.or_else(|| which_failure(replay.log(), &failures)) {
            None => (Found::Nothing, None),
            Some(seq) => {
                let told = failure(args, &mut replay, seq);
                let told = told.ok_or_else(|| asks_nothing(seq, replay.log(), &failures))?;
                (Found::Request(Box::new(told)), Some(seq))
            }
        }
    };
    let log = Arc::clone(replay.log());
    Ok((Answer { found, failures, told }, log))
}

/// One failure, or any other request.
pub(super) fn failure(args: &ExplainArgs, replay: &mut Replay, seq: Seq) -> Option<Explanation> {
    let moment = Moment::of_record(replay, seq)?;
    let told = moment.explained(replay);
    if told.is_some() {
        return told;
    }
    let EventKind::Report { .. } = replay.log().get(seq)?.kind else { return None };
    let ground = moment.ground(replay);
    let asked = of_message(replay.log(), seq, &ground, args.align, window_of(&args.input))?;
    Some(asked_of(&moment, &ground, asked))
}

/// What the model's search makes of a request that nobody recorded.
fn asked_of(moment: &Moment, ground: &Ground, asked: Asked) -> Explanation {
    let Asked { size, align, window, .. } = asked;
    let request = Request { size, align, window, cpu: 0, first_attempt: true };
    let can_be = request.check(ground.page_size).is_ok();
    let searched = can_be.then(|| moment.search(&request));
    explain(ground, asked, searched.as_ref())
}

/// A request with given numbers: at the end, or before an event.
fn option(args: &ExplainArgs, replay: &mut Replay, size: u64, event: Option<Seq>) -> Explanation {
    let target = event.map_or(replay.len(), Seq::index);
    replay.seek_places(target, usize::MAX);
    let space = replay.space().without_memory();
    let ground = Ground::of_space(replay, &space);
    let window = window_of(&args.input).unwrap_or(ground.range);
    let asked = match args.data {
        Some(data) => Asked::of_data(data, ground.page_size, args.align, window),
        None => Asked::of_option(size, ground.page_size, args.align, window),
    };
    let moment = Moment { space, request: None, seq: Seq(target as u32) };
    asked_of(&moment, &ground, asked)
}

/// Why an area lies where it lies: the last one that contained the address, at the end or before an event.
fn here(replay: &mut Replay, addr: u64, event: Option<Seq>) -> Result<Found, CliError> {
    let limit = event.map_or(replay.len(), Seq::index);
    let found = why_here_in(replay, addr, limit);
    let Some((told, explained)) = found else {
        return Err(CliError::Other {
            what: format!("no area has contained 0x{addr:x}{}", if event.is_some() { " by then" } else { "" }),
            hint: "an address inside of an area is wanted, as the addr of an alloc_vmap_area record".to_owned(),
        });
    };
    Ok(Found::Here(Box::new(told), Box::new(explained)))
}
