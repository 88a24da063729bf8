import JSON
import Postgres
import Projection
import Runtime
import Testing
import Weaviate

extension StoreTests {
    @Suite("Vector lane")
    struct VectorLaneTests {}
}

extension StoreTests.VectorLaneTests {
    @Test("texts are embedded once, kept, and reach the store; deletions too")
    func follows() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.resetWeaviate()
            let embedder = CountingEmbedder()
            try await fixture.sql(
                "INSERT INTO ptest.things (id, name) VALUES ('\(id(1))', 'garden in spring')")
            try await fixture.withVectorLane(embedder) { _ in
                try await fixture.caughtUp("vector")
                try await fixture.sql(
                    "INSERT INTO ptest.things (id, name) VALUES ('\(id(2))', 'tax forms')")
                try await fixture.caughtUp("vector")
                #expect(try await fixture.objectNames() == ["garden in spring", "tax forms"])
                #expect(embedder.texts() == ["garden in spring", "tax forms"])
                // Another column: written again, not embedded again.
                try await fixture.sql(
                    "UPDATE ptest.things SET parts = '{\(id(1))}' WHERE name = 'tax forms'")
                try await fixture.caughtUp("vector")
                #expect(embedder.texts().count == 2)
                try await fixture.sql("DELETE FROM ptest.things WHERE name = 'tax forms'")
                try await fixture.caughtUp("vector")
                #expect(try await fixture.objectNames() == ["garden in spring"])
                #expect(
                    try await fixture.value("SELECT count(*) FROM fourfold.entity_vectors") == "1")
                try await fixture.sql("TRUNCATE ptest.things")
                try await fixture.caughtUp("vector")
                #expect(try await fixture.objectNames() == [])
            }
        }
    }

    @Test("a store that lost its data is filled again without the embedder")
    func lostStore() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.resetWeaviate()
            let embedder = CountingEmbedder()
            try await fixture.sql(
                "INSERT INTO ptest.things (id, name) VALUES ('\(id(1))', 'a'), ('\(id(2))', 'b')")
            try await fixture.withVectorLane(embedder) { _ in
                try await fixture.caughtUp("vector")
            }
            try await fixture.resetWeaviate()
            try await fixture.withVectorLane(embedder) { _ in
                try await fixture.eventually("the store was not filled") {
                    try await fixture.objectNames() == ["a", "b"]
                }
            }
            #expect(embedder.texts() == ["a", "b"])
        }
    }

    @Test("a store that lost its data under a running lane is noticed at the next write")
    func emptiedStore() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.resetWeaviate()
            try await fixture.sql("INSERT INTO ptest.things (id, name) VALUES ('\(id(1))', 'a')")
            try await fixture.withVectorLane(HashingEmbedder()) { _ in
                try await fixture.caughtUp("vector")
                try await fixture.resetWeaviate()
                try await fixture.sql(
                    "INSERT INTO ptest.things (id, name) VALUES ('\(id(2))', 'b')")
                try await fixture.eventually("the store was not filled") {
                    try await fixture.objectNames() == ["a", "b"]
                }
            }
        }
    }

    @Test("an object the store refuses is parked, the others go on")
    func poison() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.resetWeaviate()
            try await fixture.withVectorLane(HashingEmbedder()) { _ in
                try await fixture.caughtUp("vector")
                try await fixture.sql(
                    """
                    INSERT INTO ptest.things (id, name, extra) VALUES
                        ('\(id(1))', 'a', '{}'), ('\(id(2))', 'b', '{"userId": "not a uuid"}'),
                        ('\(id(3))', 'c', '{}')
                    """)
                try await fixture.caughtUp("vector")
                #expect(try await fixture.objectNames() == ["a", "c"])
                #expect(
                    try await fixture.value("SELECT key FROM fourfold.parked") == id(2))
            }
        }
    }

    @Test("vectors of another model stop the lane and say so")
    func otherModel() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.resetWeaviate()
            try await fixture.sql("INSERT INTO ptest.things (id, name) VALUES ('\(id(1))', 'a')")
            try await fixture.withVectorLane(HashingEmbedder()) { _ in
                try await fixture.caughtUp("vector")
            }
            try await fixture.sql("UPDATE fourfold.entity_vectors SET model = 'another'")
            try await fixture.withVectorLane(HashingEmbedder()) { lane in
                try await fixture.eventually("no error") {
                    lane.lastError?.code == "embedding_model_changed"
                }
            }
        }
    }

    @Test("after a take-over the keys since then are written again")
    func repeats() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.resetWeaviate()
            try await fixture.withVectorLane(HashingEmbedder()) { _ in
                try await fixture.caughtUp("vector")
            }
            // A leader that died: it holds the lease and had begun with this row.
            try await fixture.sql(
                """
                UPDATE fourfold.lanes SET holder = 'dead', expires_at = now();
                INSERT INTO ptest.things (id, name) VALUES ('\(id(1))', 'new');
                """)
            try await fixture.withVectorLane(HashingEmbedder()) { _ in
                try await fixture.caughtUp("vector")
                // The dead leader's request arrives late.
                let late = WeaviateObject(
                    id: id(1), properties: Array("{\"name\":\"late\"}".utf8), vector: nil)
                _ = try await fixture.weaviate.upsert(
                    className: "ProjectionTestThing", [late], deadline: .after(.seconds(20)))
                try await fixture.eventually("the last write is not ours") {
                    try await fixture.objectNames() == ["new"]
                }
                #expect(
                    try await fixture.value(
                        "SELECT repeat_at IS NULL FROM fourfold.lanes WHERE lane = 'vector'")
                        == "t")
            }
        }
    }
}

extension StoreTests.VectorLaneTests {
    /// Rows that a rule reads: what only their columns say, and what only their operation does.
    static let derived = [
        "DELETE FROM ptest.taggings WHERE id = '\(id(11))'",
        "INSERT INTO ptest.things (id, name) VALUES ('\(id(2))', 'part')",
    ]

    @Test("keys that a rule named are written again too", arguments: derived)
    func repeatsDerived(_ change: String) async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.resetWeaviate()
            try await fixture.sql(
                """
                INSERT INTO ptest.things (id, name, parts)
                VALUES ('\(id(1))', 'ours', '{\(id(2))}');
                INSERT INTO ptest.taggings VALUES ('\(id(11))', '\(id(1))', '\(id(12))');
                """)
            try await fixture.withVectorLane(HashingEmbedder()) { _ in
                try await fixture.caughtUp("vector")
                let before = try await fixture.value("SELECT done FROM fourfold.lanes")
                try await fixture.sql(change)
                try await fixture.caughtUp("vector")
                // A request that a leader had begun for the change, and whose outcome it never saw.
                let late = WeaviateObject(
                    id: id(1), properties: Array("{\"name\":\"late\"}".utf8), vector: nil)
                _ = try await fixture.weaviate.upsert(
                    className: "ProjectionTestThing", [late], deadline: .after(.seconds(20)))
                try await fixture.sql(
                    """
                    UPDATE fourfold.lanes SET repeat_from = '\(before ?? "")',
                        repeat_at = clock_timestamp() WHERE lane = 'vector'
                    """)
                try await fixture.eventually("the last write is not ours") {
                    try await fixture.objectNames().contains("ours")
                }
            }
        }
    }
}

/// Remembers what it was asked.
final class CountingEmbedder: Embedder {
    private let asked = Lock([String]())
    private let hashing = HashingEmbedder()

    var model: EmbeddingModel { hashing.model }
    var batchSizeMax: Int { 8 }

    func embed(_ texts: [String], deadline: Deadline) async throws(EmbedderError) -> [[Float]] {
        asked.withLock { $0 += texts }
        return try await hashing.embed(texts, deadline: deadline)
    }

    func texts() -> [String] { asked.withLock { $0 } }
}

extension ProjectionFixture {
    func resetWeaviate() async throws {
        let deadline = Deadline.after(.seconds(30))
        try await weaviate.deleteClass("ProjectionTestThing", deadline: deadline)
        // Also what names the store: to the lane it is another one now.
        if try await weaviate.schemaClass("FourfoldStore", deadline: deadline) != nil {
            _ = try await nilIfAbsent {
                try await weaviate.deleteBatch(
                    className: "FourfoldStore",
                    filter: .compare(property: "lane", .equal, .text("ptest/vector")),
                    deadline: deadline)
            }
        }
    }

    /// Weaviate may know a class in its schema before it answers for its objects.
    private func nilIfAbsent<Value>(_ body: () async throws -> Value) async throws -> Value? {
        do {
            return try await body()
        } catch let error as WeaviateError where error.code == "not_found" {
            return nil
        }
    }

    func withVectorLane(
        _ embedder: any Embedder,
        _ body: (LaneRunner<VectorLaneStore>) async throws -> Void
    ) async throws {
        let pack = ProjectionFixture.makePack()
        let store = VectorLaneStore(
            pack: pack, classes: [ProjectionFixture.vectorClass], postgres: postgres,
            weaviate: weaviate, embedder: embedder)
        let lane = LaneRunner(
            pack: pack, loop: loop, postgres: postgres, store: store, holder: "first",
            configuration: ProjectionFixture.configuration)
        lane.start()
        do {
            try await body(lane)
        } catch {
            await lane.stop()
            throw error
        }
        await lane.stop()
    }

    func objectNames() async throws -> [String] {
        let deadline = Deadline.after(.seconds(20))
        let name = "ProjectionTestThing"
        if try await weaviate.schemaClass(name, deadline: deadline) == nil { return [] }
        let objects = try await nilIfAbsent {
            try await weaviate.list(className: name, deadline: deadline)
        }
        return (objects ?? []).compactMap { $0.properties["name"]?.string }.sorted()
    }
}
