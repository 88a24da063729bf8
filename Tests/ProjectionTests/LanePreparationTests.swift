import HTTPClient
import Packs
import Postgres
import Projection
import Runtime
import Testing

extension StoreTests {
    @Suite("Lane preparation")
    struct LanePreparationTests {
        @Test("a write does not wait for what an idle lane prepares")
        func writesMeanwhile() async throws {
            try await run { fixture, store, lane in
                try await fixture.sql(
                    "INSERT INTO ptest.things (id, name) VALUES ('\(id(1))', 'a')")
                try await fixture.caughtUp()
                #expect(try await fixture.names() == ["a"])
                #expect(store.heldCount == 1, "one thing at a time")
                store.isReleased = true
                try await fixture.eventually("it does not end") { store.heldCount == 0 }
                await lane.stop()
            }
        }

        @Test("a lane that is stopped ends what it prepares")
        func stops() async throws {
            try await run { _, store, lane in
                await lane.stop()
                #expect(store.heldCount == 0)
            }
        }

        /// With a lane that prepares something; `body` stops it.
        private func run(
            _ body: @escaping @Sendable (
                ProjectionFixture, HeldPreparation, LaneRunner<HeldPreparation>
            ) async throws -> Void
        ) async throws {
            try await ProjectionFixture.run { fixture in
                let store = HeldPreparation(try fixture.graphStore(), loop: fixture.loop)
                let lane = LaneRunner(
                    pack: ProjectionFixture.makePack(), loop: fixture.loop,
                    postgres: fixture.postgres, store: store, holder: "first",
                    configuration: ProjectionFixture.configuration)
                lane.start()
                try await fixture.eventually("nothing is prepared") { store.heldCount == 1 }
                try await body(fixture, store, lane)
            }
        }
    }
}

/// A graph whose preparation lasts until it is released or cancelled. On the fixture's loop.
private final class HeldPreparation: LaneStore, @unchecked Sendable {
    typealias Work = GraphLaneStore.Work

    private let store: GraphLaneStore
    private let loop: EventLoop
    var isReleased = false
    private(set) var heldCount = 0

    init(_ store: GraphLaneStore, loop: EventLoop) {
        self.store = store
        self.loop = loop
    }

    var isPrepared: Bool { isReleased }

    func prepareNext(deadline: Deadline) async {
        heldCount += 1
        while !isReleased && !Task.isCancelled { try? await loop.sleep(for: .milliseconds(5)) }
        heldCount -= 1
    }

    // MARK: As the graph does it

    var name: LaneName { store.name }
    var storeName: String { store.storeName }
    var entities: Set<String> { store.entities }
    var breakerState: CircuitBreaker.State { store.breakerState }
    var mustRepeatAfterTakeover: Bool { store.mustRepeatAfterTakeover }
    var resyncSteps: [ResyncStep] { store.resyncSteps }

    func identify(
        deadline: Deadline
    ) async throws(LaneError) -> (identity: String, revision: Int64) {
        try await store.identify(deadline: deadline)
    }

    func raiseFence(_ permit: LanePermit, deadline: Deadline) async throws(LaneError) {
        try await store.raiseFence(permit, deadline: deadline)
    }

    func read(_ chunk: LaneChunk, on connection: PostgresConnection) async throws -> Work {
        try await store.read(chunk, on: connection)
    }

    func apply(
        _ work: Work, _ permit: LanePermit, deadline: Deadline
    ) async throws(LaneError) -> [PoisonKey] {
        try await store.apply(work, permit, deadline: deadline)
    }

    func storeKeys(
        _ step: ResyncStep, after: String, limit: Int, deadline: Deadline
    ) async throws(LaneError) -> (keys: [String], last: String?) {
        try await store.storeKeys(step, after: after, limit: limit, deadline: deadline)
    }
}
