//! Servers from the distribution, and a Go server, under load: do their stacks reach their threads' entries?

use std::sync::LazyLock;
use std::time::Duration;

use anyhow::Result;
use e2e::{Folded, Machine, Meter, Need, Observed, Recording, Request, ServerKind, Supply};

const HZ: u32 = 499;
const WORK: Duration = Duration::from_secs(20);
const ROOTED: f64 = 0.995;
const FEWEST: u64 = 400;

struct Scene {
    folded: Folded,
    /// In the order of `ServerKind::ALL`.
    servers: Vec<(&'static [&'static str], Supply)>,
}

static SCENE: LazyLock<Result<Scene, String>> =
    LazyLock::new(|| record().map_err(|error| format!("{error:?}")));

fn record() -> Result<Scene> {
    let _machine = Machine::reserve()?;
    let servers = ServerKind::ALL.iter().map(|kind| kind.start()).collect::<Result<Vec<_>>>()?;
    let mut loads = servers.iter().map(|server| server.load()).collect::<Result<Vec<_>>>()?;
    let mut recording = Recording::start(Request::machine(HZ))?;
    let meters =
        servers.iter().map(|server| Meter::start(server.pid())).collect::<Result<Vec<_>>>()?;
    recording.go_on_for(WORK)?;
    let supplies = meters.iter().map(Meter::read).collect::<Result<Vec<_>>>()?;
    recording.interrupt()?;
    loads.iter_mut().try_for_each(e2e::Load::check)?;
    drop(loads);
    let outcome = recording.outcome()?;
    let servers = servers.iter().map(|server| server.services()).zip(supplies).collect();
    Ok(Scene { folded: outcome.folded, servers })
}

#[track_caller]
fn observed(kind: ServerKind) -> (Observed, Supply) {
    let scene = match &*SCENE {
        Ok(scene) => scene,
        Err(error) => panic!("the scene could not be recorded: {error}"),
    };
    let index = ServerKind::ALL.iter().position(|other| *other == kind).expect("ALL has all");
    let (services, supply) = scene.servers[index];
    (Observed::of(&scene.folded, services), supply)
}

#[track_caller]
fn assert_rooted(kind: ServerKind) {
    let (observed, _) = observed(kind);
    let examples = observed.examples(|stack| !stack.is_rooted());
    let (rooted, reasons) = (observed.rooted(), observed.truncations());
    assert!(rooted >= ROOTED, "{kind:?}: rooted {rooted:.4}; {reasons:?}:\n{examples}");
}

macro_rules! rooted {
    ($($name:ident: $kind:ident;)*) => {$(
        #[test]
        fn $name() {
            assert_rooted(ServerKind::$kind);
        }
    )*};
}

rooted! {
    stacks_of_nginx_under_load_are_rooted: Nginx;
    stacks_of_postgresql_under_load_are_rooted: Postgres;
    stacks_of_redis_under_load_are_rooted: Redis;
    stacks_of_a_go_server_under_load_are_rooted: GoHttp;
}

#[test]
fn every_server_is_seen_with_most_of_its_time() {
    for kind in ServerKind::ALL {
        let (observed, supply) = observed(kind);
        let need = Need { samples: FEWEST, part: 0.8, hz: HZ };
        if let Some(shortage) = supply.shortage(observed.samples(), need) {
            panic!("{kind:?}: {shortage}");
        }
    }
}
