internal import Packs
package import Postgres
package import Runtime

/// Search over the vectors kept in PostgreSQL: exact, with pgvector's operator where the extension
/// is installed. Belongs to the client's loop.
package final class PostgresVectors: VectorStore, @unchecked Sendable {
    /// Candidates of each kind that a hybrid search fuses, at least; as many as Weaviate takes.
    static let candidateCountMin = 100

    package let storeName = "postgres"
    private let postgres: PostgresClient
    private let pack: String
    private let model: @Sendable () -> EmbeddingModel
    /// The statement for vectors, once it is known whether there is pgvector.
    private var nearest: Statement?

    package init(
        postgres: PostgresClient, pack: String, model: @escaping @Sendable () -> EmbeddingModel
    ) {
        self.postgres = postgres
        self.pack = pack
        self.model = model
    }

    package func search(
        _ query: VectorQuery, deadline: Deadline
    ) async throws(VectorStoreError) -> [VectorHit] {
        do throws(PostgresError) {
            switch query.mode {
            case .vector: return try await byVector(query, query.limit, deadline)
            case .keyword: return try await byKeyword(query, query.limit, deadline)
            case .hybrid:
                let count = max(query.limit, PostgresVectors.candidateCountMin)
                let fused = RelativeScoreFusion.fuse(
                    vector: try await byVector(query, count, deadline),
                    keyword: try await byKeyword(query, count, deadline), alpha: query.alpha)
                return Array(fused.prefix(query.limit))
            }
        } catch {
            throw .unavailable(code: LaneError.postgres(error).code)
        }
    }

    /// The vector kept for an object; nil if there is none yet.
    package func vector(
        className: String, key: String, deadline: Deadline
    ) async throws(PostgresError) -> [Float]? {
        let result = try await postgres.query(
            PostgresVectors.kept, [.text(pack), .text(className), .text(key)], deadline: deadline)
        return result.rowCount > 0 ? VectorText.parse(result.bytes(0, 0)) : nil
    }

    /// Numbers in the vectors kept for these classes; nil if there are none yet.
    package func width(
        classNames: [String], deadline: Deadline
    ) async throws(PostgresError) -> Int? {
        let result = try await postgres.query(
            PostgresVectors.keptWidth, [.text(pack), .textArray(classNames)], deadline: deadline)
        return result.rowCount > 0 ? result.int(0, 0).map(Int.init) : nil
    }

    // MARK: The two ways

    private func byVector(
        _ query: VectorQuery, _ count: Int, _ deadline: Deadline
    ) async throws(PostgresError) -> [VectorHit] {
        guard let vector = query.direction else { return [] }
        let statement = try await nearestStatement(deadline)
        let model = model()
        let text = VectorText.write(vector)
        return try await hits(
            query, statement,
            [.text(model.name), .text(model.version), .text(text), .int(Int64(count))], deadline)
    }

    private func byKeyword(
        _ query: VectorQuery, _ count: Int, _ deadline: Deadline
    ) async throws(PostgresError) -> [VectorHit] {
        guard let text = query.text, !text.isEmpty else { return [] }
        return try await hits(
            query, PostgresVectors.byKeyword, [.text(text), .int(Int64(count))], deadline)
    }

    private func hits(
        _ query: VectorQuery, _ statement: Statement, _ more: [Parameter], _ deadline: Deadline
    ) async throws(PostgresError) -> [VectorHit] {
        let parameters =
            [
                .text(pack), .textArray(query.classes.map(\.name)),
                query.owner.map { .text($0) } ?? .null,
            ] + more
        let paths = Dictionary(
            query.classes.map { ($0.name, $0.entityPath) }, uniquingKeysWith: { first, _ in first })
        let result = try await postgres.query(statement, parameters, deadline: deadline)
        return (0..<result.rowCount).map { row in
            let name = result.string(row, 0) ?? ""
            return VectorHit(
                entity: paths[name] ?? "", className: name, key: result.string(row, 1) ?? "",
                score: result.string(row, 2).flatMap { Double($0) } ?? 0)
        }
    }

    private func nearestStatement(_ deadline: Deadline) async throws(PostgresError) -> Statement {
        if let nearest { return nearest }
        let result = try await postgres.query(PostgresVectors.extensionSchema, deadline: deadline)
        let score: String
        if result.rowCount > 0, let schema = result.string(0, 0) {
            // Negative inner product; the vectors have length 1.
            score = """
                -(e.embedding::\(schema).vector OPERATOR(\(schema).<#>) \
                $6::text::real[]::\(schema).vector)
                """
        } else {
            score = "fourfold.dot(e.embedding, $6::text::real[])"
        }
        let statement = Statement(
            "vectors_nearest",
            """
            SELECT e.class, e.key, \(score) AS score
            FROM fourfold.entity_vectors AS e
            WHERE e.pack = $1 AND e.class = ANY ($2::text[])
                AND ($3::text IS NULL OR e.owner = $3::text)
                AND e.model = $4 AND e.version = $5
                AND cardinality(e.embedding) = cardinality($6::text::real[])
            ORDER BY score DESC, e.key LIMIT $7::bigint
            """, isReadOnly: true)
        nearest = statement
        return statement
    }

    private static let extensionSchema = Statement(
        "vectors_extension",
        """
        SELECT quote_ident(n.nspname) FROM pg_extension AS e
        JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'vector'
        """, isReadOnly: true)
    /// Any of the words, as BM25 ranks.
    private static let byKeyword = Statement(
        "vectors_keyword",
        """
        SELECT e.class, e.key, ts_rank(e.text_search, q.query) AS score
        FROM fourfold.entity_vectors AS e, (
            SELECT replace(plainto_tsquery('simple', $4)::text, ' & ', ' | ')::tsquery AS query
        ) AS q
        WHERE e.pack = $1 AND e.class = ANY ($2::text[])
            AND ($3::text IS NULL OR e.owner = $3::text) AND e.text_search @@ q.query
        ORDER BY score DESC, e.key LIMIT $5::bigint
        """, isReadOnly: true)
    private static let keptWidth = Statement(
        "vectors_width",
        """
        SELECT cardinality(embedding) FROM fourfold.entity_vectors
        WHERE pack = $1 AND class = ANY ($2::text[]) LIMIT 1
        """, isReadOnly: true)
    private static let kept = Statement(
        "vectors_kept",
        """
        SELECT embedding::text FROM fourfold.entity_vectors
        WHERE pack = $1 AND class = $2 AND key = $3
        """, isReadOnly: true)
}
