//! The load generator: `load --scenario NAME --port N [--KEY VALUE …]`. It connects,
//! sets up, prints a line, warms up, prints a line and waits for one; then measures, prints
//! the figures as one line of JSON, and ends. It ends too when a limit in time is reached.

use std::io::Write;

use load::client::{Job, Load, Plan, Tally};
use load::net::Net;
use load::scenarios::{Broadcast, Connect, Echo, Heartbeat, OneWay, Rooms};
use load::upgrade::Upgrade;
use load::usage;

struct Options {
    scenario: String,
    plan: Plan,
    warm_up_ms: u64,
    measure_ms: u64,
    block_ms: u64,
    nap_us: u64,
    /// How long connecting, or waiting for what is still under way, may take.
    limit_ms: u64,
}

fn main() {
    usage::raise_descriptor_limit();
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => end(&message),
    };
    let plan = options.plan.clone();
    match options.scenario.as_str() {
        "broadcast" => drive(&options, Load::new(plan.clone(), Broadcast::new(&plan))),
        "rooms" => drive(&options, Load::new(plan.clone(), Rooms::new(&plan))),
        "echo" => drive(&options, Load::new(plan.clone(), Echo::text(&plan))),
        "move" => drive(&options, Load::new(plan.clone(), Echo::moving(&plan))),
        "binary" => drive(&options, Load::new(plan.clone(), Echo::binary(&plan))),
        "oneway" => drive(&options, Load::new(plan.clone(), OneWay::new(&plan))),
        "connect" => drive(&options, Load::new(plan, Connect)),
        "upgrade" => drive(&options, Upgrade::new(plan)),
        "heartbeat" => drive(&options, Load::new(plan, Heartbeat::new(None))),
        "blocked" => drive(&options, Load::new(plan, Heartbeat::new(Some(options.block_ms)))),
        other => end(&format!("no scenario {other}")),
    }
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        scenario: String::new(),
        plan: Plan {
            port: 0,
            clients: 1,
            window: 1,
            payload: 64,
            pace: 0,
            active: usize::MAX,
            handshakes: 32,
            rate: 0,
            warm_count: 1,
            count: 0,
            ping_interval: 25_000,
            ping_timeout: 20_000,
        },
        warm_up_ms: 500,
        measure_ms: 1000,
        block_ms: 0,
        nap_us: 50,
        limit_ms: 30_000,
    };
    while let Some(key) = args.next() {
        let value = args.next().ok_or_else(|| format!("{key} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{key}: not a number: {value}"));
        let plan = &mut options.plan;
        match key.as_str() {
            "--scenario" => options.scenario = value,
            "--port" => plan.port = number()? as u16,
            "--clients" => plan.clients = number()? as usize,
            "--window" => plan.window = number()? as usize,
            "--pace-ms" => plan.pace = number()? * 1_000_000,
            "--payload" => plan.payload = number()? as usize,
            "--active" => plan.active = number()? as usize,
            "--handshakes" => plan.handshakes = number()? as usize,
            "--rate" => plan.rate = number()? as usize,
            "--warm-count" => plan.warm_count = number()? as usize,
            "--count" => plan.count = number()? as usize,
            "--ping-interval" => plan.ping_interval = number()?,
            "--ping-timeout" => plan.ping_timeout = number()?,
            "--warm-up-ms" => options.warm_up_ms = number()?,
            "--measure-ms" => options.measure_ms = number()?,
            "--nap-us" => options.nap_us = number()?,
            "--block-ms" => options.block_ms = number()?,
            "--limit-ms" => options.limit_ms = number()?,
            _ => return Err(format!("no option {key}")),
        }
    }
    Ok(options)
}

fn drive<J: Job>(options: &Options, mut job: J) {
    let mut net = Net::new().unwrap_or_else(|error| end(&format!("epoll: {error}")));
    if let Err(error) = net.watch_stdin() {
        end(&format!("standard input: {error}"));
    }
    net.nap_between_waits(options.nap_us);
    let limit = options.limit_ms;
    wait(&mut net, &mut job, limit, "connecting", |net, job| job.connect(net));
    say("{\"connected\":true}");

    if options.warm_up_ms > 0 {
        run(&mut net, &mut job, options.warm_up_ms, limit, false);
    }
    say("{\"ready\":true}");
    wait(&mut net, &mut job, limit, "waiting to go on", |net, _| match net.read_stdin() {
        Some(lines) => lines.contains("go"),
        None => end("the standard input was closed"),
    });

    *job.tally() = Tally::default();
    let (cpu, began) = (usage::cpu_micros(), net.now());
    let ended = run(&mut net, &mut job, options.measure_ms, limit, true);
    let cpu = usage::cpu_micros() - cpu;
    report(&mut job, ended - began, cpu, net.short_writes);
    // The clients stay until the runner has looked at the server.
    while net.read_stdin().is_some() {
        turn(&mut net, &mut job);
    }
}

/// Runs for a time or until the job is done, then until nothing is under way. Returns
/// when that was.
fn run<J: Job>(net: &mut Net, job: &mut J, ms: u64, limit: u64, measured: bool) -> u64 {
    let until = net.now() + ms * 1_000_000;
    job.start(net, measured);
    while net.now() < until && !(measured && job.finished()) {
        turn(net, job);
    }
    job.stop(net);
    wait(net, job, limit, "waiting for what is under way", |_, job| job.drained());
    net.now()
}

fn wait<J: Job>(
    net: &mut Net,
    job: &mut J,
    limit_ms: u64,
    what: &str,
    mut done: impl FnMut(&mut Net, &mut J) -> bool,
) {
    let until = net.now() + limit_ms * 1_000_000;
    while !done(net, job) {
        if net.now() > until {
            end(&format!("gave up {what}"));
        }
        turn(net, job);
    }
}

fn turn<J: Job>(net: &mut Net, job: &mut J) {
    if let Err(error) = net.turn(job, 5) {
        end(&error.to_string());
    }
    job.tick(net);
    if let Some(failure) = job.failure() {
        end(failure);
    }
}

fn report<J: Job>(job: &mut J, nanos: u64, cpu_micros: u64, short_writes: u64) {
    let tally = job.tally();
    let micros = |nanos: u64| nanos as f64 / 1000.0;
    say(&format!(
        "{{\"operations\":{},\"wallUs\":{:.0},\"p50Us\":{:.1},\"p99Us\":{:.1},\"maxUs\":{:.1},\
         \"pings\":{},\"pingGapUs\":{:.0},\"lost\":{},\"shortWrites\":{short_writes},\
         \"loadCpuUs\":{cpu_micros}}}",
        tally.operations,
        micros(nanos),
        micros(tally.latency.quantile(0.5)),
        micros(tally.latency.quantile(0.99)),
        micros(tally.latency.max()),
        tally.pings,
        micros(tally.ping_gap),
        tally.lost,
    ));
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}

fn end(message: &str) -> ! {
    say(&format!("{{\"error\":{message:?}}}"));
    std::process::exit(1)
}
