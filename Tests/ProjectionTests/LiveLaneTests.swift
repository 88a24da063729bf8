import Packs
import Postgres
import Projection
import Redis
import Runtime
import Testing

extension StoreTests {
    @Suite("Live lane")
    struct LiveLaneTests {}
}

extension StoreTests.LiveLaneTests {
    @Test("changes are told once, in order, with what the view shows now")
    func changes() async throws {
        try await LiveFixture.run { fixture in
            try await fixture.withLane { _ in
                try await fixture.caughtUp()
                try await fixture.add(1...3)
                try await fixture.caughtUp()
                try await fixture.sql("UPDATE ltest.things SET name = 'm' WHERE name = 'n2'")
                try await fixture.caughtUp()
                try await fixture.sql("DELETE FROM ltest.things WHERE name = 'n3'")
                try await fixture.caughtUp()
                #expect(
                    try await fixture.told() == [
                        "created n1", "created n2", "created n3", "updated m", "deleted 3",
                    ])
            }
        }
    }

    @Test("a key that a dirty rule names is updated, one that is gone is not")
    func dirtyRules() async throws {
        try await LiveFixture.run { fixture in
            try await fixture.withLane { _ in
                try await fixture.caughtUp()
                try await fixture.sql("INSERT INTO ltest.kinds VALUES ('\(id(9))', 'k')")
                try await fixture.add(1...2)
                try await fixture.caughtUp()
                try await fixture.sql("UPDATE ltest.things SET kind = '\(id(9))'")
                try await fixture.caughtUp()
                try await fixture.sql(
                    """
                    BEGIN;
                    UPDATE ltest.kinds SET name = 'l';
                    DELETE FROM ltest.things WHERE name = 'n1';
                    COMMIT;
                    """)
                try await fixture.caughtUp()
                #expect(
                    try await fixture.told() == [
                        "created n1", "created n2", "updated n1", "updated n2", "deleted 1",
                        "updated n2",
                    ])
            }
        }
    }

    @Test("a leader that ends between Redis and PostgreSQL: nothing is repeated, nothing lost")
    func crashBetween() async throws {
        try await LiveFixture.run { fixture in
            let probe = HoldingAfterProbe(loop: fixture.loop)
            var configuration = ProjectionFixture.configuration
            configuration.lease = .milliseconds(600)
            configuration.leaseRenewPeriod = .seconds(3_600)
            configuration.pageRowCountMax = 10
            let crashed = fixture.lane(holder: "crashed", configuration, probe: probe)
            crashed.start()
            try await fixture.caughtUp()
            probe.hold()
            try await fixture.add(1...25)
            try await fixture.eventually("no page was told") { probe.isHolding }
            let first = try await fixture.told()
            #expect(first.count == 10)

            let next = fixture.lane(holder: "next", configuration)
            next.start()
            try await fixture.eventually("nobody took over") {
                try await fixture.told().count >= 25
            }
            try await fixture.caughtUp()
            probe.release()
            try await fixture.eventually("it goes on") { crashed.state == .lost }
            #expect(try await fixture.told() == (1...25).map { "created n\($0)" })
            await crashed.stop()
            await next.stop()
        }
    }

    @Test("a leader that was paused before it told its page tells it no more")
    func pausedLeader() async throws {
        try await LiveFixture.run { fixture in
            let probe = HoldingProbe(loop: fixture.loop)
            var configuration = ProjectionFixture.configuration
            configuration.lease = .milliseconds(600)
            configuration.leaseRenewPeriod = .seconds(3_600)
            let paused = fixture.lane(holder: "paused", configuration, probe: probe)
            paused.start()
            try await fixture.caughtUp()
            probe.hold()
            try await fixture.add(1...3)
            try await fixture.eventually("the page was not read") { probe.isHolding }
            let next = fixture.lane(holder: "next")
            next.start()
            try await fixture.eventually("nobody took over") {
                try await fixture.told().count == 3
            }
            try await fixture.caughtUp()
            probe.release()
            try await fixture.eventually("the paused leader goes on") { paused.state == .lost }
            #expect(try await fixture.told() == ["created n1", "created n2", "created n3"])
            await paused.stop()
            await next.stop()
        }
    }

    @Test("the fence refuses an earlier leader as a whole")
    func fence() async throws {
        try await LiveFixture.run { fixture in
            let soon = Deadline.after(.seconds(20))
            let start = LaneCursor(done: "1:1:")
            let (old, new) = (fixture.store(), fixture.store())
            try await old.raiseFence(permit(10), deadline: soon)
            _ = try await old.resume(at: start, isNew: true, permit(10), deadline: soon)
            try await fixture.add(1...1)
            let work = try await fixture.read(created(1...1), old)
            try await new.raiseFence(permit(11), deadline: soon)
            let before = try await fixture.command(["HGETALL", LiveFixture.laneKey])
            let refused = await laneError {
                _ = try await old.apply(work, permit(12, next: "2:2:"), deadline: soon)
            }
            #expect(refused?.code == "lease_lost")
            #expect(try await fixture.told() == [])
            #expect(try await fixture.command(["HGETALL", LiveFixture.laneKey]) == before)
            let late = await laneError { try await old.raiseFence(permit(10), deadline: soon) }
            #expect(late?.code == "lease_lost")
            #expect(try await old.identify(deadline: soon).revision == 11)
            _ = try await new.resume(at: start, isNew: false, permit(11), deadline: soon)
            _ = try await new.apply(work, permit(12, next: "2:2:"), deadline: soon)
            #expect(try await fixture.told() == ["created n1"])
        }
    }

    @Test("a large page that breaks off in the middle goes on where it was")
    func partsOfAPage() async throws {
        try await LiveFixture.run { fixture in
            let soon = Deadline.after(.seconds(20))
            var limits = LiveLaneLimits()
            limits.runMessageCountMax = 2
            let start = LaneCursor(done: "1:1:")
            let first = fixture.store(limits)
            try await first.raiseFence(permit(10), deadline: soon)
            _ = try await first.resume(at: start, isNew: true, permit(10), deadline: soon)
            try await fixture.add(1...7)
            let checks = Counter()
            var breaking = LanePermit(
                epoch: 1, revision: 11,
                check: { () throws(LaneError) in if checks.next() > 2 { throw .stopped } },
                confirm: {})
            breaking.next = LaneCursor(done: "1:1:", goal: "9:9:", xid: "7", position: 7)
            let work = try await fixture.read(created(1...7), first)
            let broken = await laneError {
                _ = try await first.apply(work, breaking, deadline: soon)
            }
            #expect(broken?.code == "stopped")
            #expect(try await fixture.told().count == 4)

            let second = fixture.store(limits)
            try await second.raiseFence(permit(20), deadline: soon)
            let resumed = try await second.resume(
                at: start, isNew: false, permit(20), deadline: soon)
            #expect(resumed == LaneCursor(done: "1:1:", goal: "9:9:"))
            // Changes of the meantime do not move what is told already.
            try await fixture.sql("UPDATE ltest.things SET name = 'm6' WHERE name = 'n6'")
            let again = try await fixture.read(created(1...7), second)
            var rest = permit(21)
            rest.next = breaking.next
            _ = try await second.apply(again, rest, deadline: soon)
            let names = [1, 2, 3, 4, 5].map { "created n\($0)" } + ["created m6", "created n7"]
            #expect(try await fixture.told() == names)
        }
    }

    @Test("a Redis that was emptied: the lane goes on from PostgreSQL's copy")
    func emptied() async throws {
        try await LiveFixture.run { fixture in
            try await fixture.withLane { _ in
                try await fixture.add(1...2)
                try await fixture.caughtUp()
                try await fixture.command(["DEL", LiveFixture.laneKey, "fourfold:config:ltest"])
                try await fixture.command(
                    ["DEL", "ltest:config:all", "fourfold:channel:\(LiveFixture.channel)"])
                try await fixture.add(3...4)
                try await fixture.caughtUp()
                #expect(try await fixture.told() == ["created n3", "created n4"])
                #expect(
                    try await fixture.command(["GET", "ltest:config:all"]).string
                        == "{\"size\": 1}")
            }
        }
    }

    @Test("a copy from the future, as after a restore, is not believed")
    func restored() async throws {
        try await LiveFixture.run { fixture in
            try await fixture.withLane { _ in try await fixture.caughtUp() }
            try await fixture.command(
                ["HSET", LiveFixture.laneKey, "done", "999999999:999999999:", "fence", "1000000"])
            try await fixture.add(1...1)
            try await fixture.withLane { _ in
                try await fixture.caughtUp()
                #expect(try await fixture.told() == ["created n1"])
            }
            #expect(
                try await fixture.value("SELECT last_value > 1000000 FROM fourfold.revision_seq")
                    == "t")
        }
    }
}

extension StoreTests.LiveLaneTests {
    @Test("a copy of configuration from the future gives way to what was restored")
    func restoredConfiguration() async throws {
        try await LiveFixture.run { fixture in
            let copy = ["GET", "ltest:config:all"]
            try await fixture.withLane { _ in try await fixture.caughtUp() }
            // The fence is that of a leader who took over long before the copy was written.
            try await fixture.command(["HSET", "fourfold:config:ltest", "all", "1000000"])
            try await fixture.command(["SET", "ltest:config:all", "{\"size\": 2}"])
            try await fixture.sql("UPDATE fourfold.database SET identity = 'another'")
            try await fixture.withLane { _ in
                try await fixture.eventually("the copy stays old") {
                    try await fixture.command(copy).string == "{\"size\": 1}"
                }
                try await fixture.caughtUp()
                try await fixture.sql("UPDATE ltest.settings SET value = 3")
                try await fixture.caughtUp()
                #expect(try await fixture.command(copy).string == "{\"size\": 3}")
            }
        }
    }

    @Test("caches of changed rows go, with the tokens of those who fill them; others stay")
    func caches() async throws {
        try await LiveFixture.run { fixture in
            try await fixture.withLane { _ in
                try await fixture.add(1...2)
                try await fixture.caughtUp()
                try await fixture.fillCaches(1...2)
                try await fixture.sql("UPDATE ltest.things SET name = 'm' WHERE name = 'n1'")
                try await fixture.caughtUp()
                #expect(try await fixture.cached() == ["ltest:\(id(2)):all", "ltest:\(id(2)):one"])
                try await fixture.sql("DELETE FROM ltest.things WHERE name = 'n2'")
                try await fixture.caughtUp()
                #expect(try await fixture.cached() == [])
            }
        }
    }

    @Test("TRUNCATE forgets every cache of the entity and tells nothing")
    func truncate() async throws {
        try await LiveFixture.run { fixture in
            try await fixture.withLane { _ in
                try await fixture.caughtUp()
                try await fixture.fillCaches(1...30)
                // Being filled, with what was read before.
                for number in 31...40 {
                    try await fixture.command(["SET", "fourfold:fill:ltest:\(id(number)):one", "x"])
                }
                try await fixture.sql("TRUNCATE ltest.things")
                try await fixture.caughtUp()
                #expect(try await fixture.cached() == [])
                #expect(try await fixture.told() == [])
            }
        }
    }

    @Test("more dirty keys than the bound forget all caches of the entity")
    func tooManyDirtyKeys() async throws {
        try await LiveFixture.run { fixture in
            var configuration = ProjectionFixture.configuration
            configuration.dirtyKeyCountMax = 5
            let lane = fixture.lane(configuration)
            lane.start()
            try await fixture.caughtUp()
            try await fixture.sql("INSERT INTO ltest.kinds VALUES ('\(id(9))', 'k')")
            try await fixture.add(1...9)
            try await fixture.sql("UPDATE ltest.things SET kind = '\(id(9))'")
            try await fixture.caughtUp()
            let before = try await fixture.told().count
            try await fixture.fillCaches(1...9)
            try await fixture.sql("UPDATE ltest.kinds SET name = 'l'")
            try await fixture.caughtUp()
            #expect(try await fixture.cached().filter { $0.hasSuffix("one") } == [])
            #expect(try await fixture.told().count == before)
            await lane.stop()
        }
    }

    @Test("configuration: copied at the start and at each change, an older reader loses")
    func configuration() async throws {
        try await LiveFixture.run { fixture in
            try await fixture.withLane { _ in
                try await fixture.caughtUp()
                let copy = ["GET", "ltest:config:all"]
                #expect(try await fixture.command(copy).string == "{\"size\": 1}")
                try await fixture.sql("UPDATE ltest.settings SET value = 2")
                try await fixture.caughtUp()
                #expect(try await fixture.command(copy).string == "{\"size\": 2}")
                try await fixture.command(
                    ["HSET", "fourfold:config:ltest", "all", "1000000000"])
                try await fixture.sql("UPDATE ltest.settings SET value = 3")
                try await fixture.caughtUp()
                #expect(try await fixture.command(copy).string == "{\"size\": 2}")
            }
        }
    }
}

// MARK: Pieces

private func permit(_ revision: Int64, next: String? = nil) -> LanePermit {
    var permit = LanePermit(epoch: 1, revision: revision, check: {}, confirm: {})
    permit.next = next.map { LaneCursor(done: $0) }
    return permit
}

/// A page in which things were created.
private func created(_ numbers: ClosedRange<Int>) -> LaneChunk {
    var chunk = LaneChunk([("things", DirtyKeys(created: Set(numbers.map(id)), changed: []))])
    chunk.changes = numbers.map {
        RowChange(entity: "things", key: id($0), owner: LiveFixture.owner, action: .created)
    }
    return chunk
}

private func laneError(_ body: () async throws -> Void) async -> LaneError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? LaneError
    }
}

private final class Counter: Sendable {
    private let count = Lock(0)

    func next() -> Int {
        count.withLock { count in
            count += 1
            return count
        }
    }
}

/// Holds a lane between writing a page and moving PostgreSQL's cursor. On the fixture's loop.
private final class HoldingAfterProbe: LaneProbe, @unchecked Sendable {
    private let loop: EventLoop
    private var mustHold = false
    private(set) var isHolding = false

    init(loop: EventLoop) { self.loop = loop }

    func hold() { mustHold = true }
    func release() { mustHold = false }

    func pageWasApplied(_ lane: LaneName, revision: Int64) async {
        while mustHold {
            isHolding = true
            try? await loop.sleep(for: .milliseconds(5))
        }
    }
}

extension LiveFixture {
    /// Caches of things, and tokens of those who fill them.
    fileprivate func fillCaches(_ numbers: ClosedRange<Int>) async throws {
        for number in numbers {
            for name in ["one", "all"] {
                let key = "ltest:\(id(number)):\(name)"
                try await command(["SET", key, "{}"])
                try await command(["SET", "fourfold:fill:\(key)", "x"])
            }
        }
    }

    /// The keys of caches that are left.
    fileprivate func cached() async throws -> [String] {
        var keys: [String] = []
        for pattern in ["ltest:00*", "fourfold:fill:ltest:00*"] {
            keys += (try await command(["KEYS", pattern]).array ?? []).compactMap(\.string)
        }
        let found = Set(keys)
        // A token stays exactly where its cache stays.
        return keys.filter { key in
            !key.hasPrefix("fourfold:fill:") || !found.contains(String(key.dropFirst(14)))
        }.sorted()
    }
}
