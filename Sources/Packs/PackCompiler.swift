internal import JSON
package import Postgres

/// Turns the files of a pack and PostgreSQL's catalog into a ``Pack``.
package struct PackCompiler: Sendable {
    private let files: PackFiles

    package init(files: PackFiles) { self.files = files }

    /// Reads and checks what can be checked without a database.
    ///
    /// - Throws: Every problem of the files at once.
    @discardableResult
    package func check(_ name: String) throws(PackError) -> Pack {
        assemble(try PackSources(name, files), Resolved())
    }

    /// The same, where what is wrong is wanted and not the pack.
    package func problems(_ name: String) -> [PackProblem] {
        do throws(PackError) {
            try check(name)
            return []
        } catch {
            return error.problems
        }
    }

    /// Compiles a pack whose migrations have been applied.
    ///
    /// - Throws: Every problem of the files at once; every problem of the schema, if the files have
    ///   none.
    package func compile(
        _ name: String, on connection: PostgresConnection
    ) async throws(PackFailure) -> Pack {
        let sources = try lifting { () throws(PackError) in try PackSources(name, files) }
        let resolved: Resolved
        do throws(PostgresError) {
            let catalog = try await Catalog.read(schema: sources.manifest.schema, connection)
            resolved = try await resolve(sources.manifest, sources.document, catalog, connection)
        } catch {
            throw .database(error)
        }
        if !resolved.problems.isEmpty { throw .pack(PackError(resolved.problems)) }
        return assemble(sources, resolved)
    }

    /// Makes the triggers that record the changes of a pack's tables what the pack says.
    ///
    /// - Returns: Entities whose capture changed.
    package static func installCapture(
        _ pack: Pack, on connection: PostgresConnection
    ) async throws(PostgresError) -> [String] {
        let result = try await connection.query(
            Statement(unnamed: "SELECT unnest(fourfold.install_pack($1::jsonb))"),
            [.bytes(pack.document)])
        _ = try await connection.query(
            Statement(unnamed: "SELECT fourfold.install_sessions($1::jsonb)"),
            [.bytes(pack.document)])
        return (0..<result.rowCount).compactMap { result.string($0, 0) }
    }

    // MARK: Steps

    /// What the catalog says.
    private struct Resolved {
        /// Those with routes.
        var entities: [Entity] = []
        var sessionEntity: Entity?
        /// Everything that does not fit.
        var problems: [PackProblem] = []
    }

    private func resolve(
        _ manifest: PackManifest, _ document: JSONDocument, _ catalog: Catalog,
        _ connection: PostgresConnection
    ) async throws(PostgresError) -> Resolved {
        let body = Parameter.bytes(documentText(manifest, document))
        let file = files.manifestFile(manifest.name)
        let found = try await connection.query(PackCompiler.problemsStatement, [body])
        var problems = (0..<found.rowCount).map { row in
            PackProblem(
                file: file, place: found.string(row, 0) ?? "", found.string(row, 1) ?? "",
                remedy: "Correct the pack or its SQL.")
        }
        let rows = try await connection.query(PackCompiler.entitiesStatement, [body])
        var entities: [String: Entity] = [:]
        for row in 0..<rows.rowCount {
            guard let path = rows.string(row, 0), let table = rows.string(row, 1),
                let relation = catalog.relations[table]
            else { continue }
            let names = (rows.string(row, 6) ?? "").split(separator: "\u{1}")
            let writeOnly = Set(names.map(String.init))
            var columns = relation.columns
            for index in columns.indices where writeOnly.contains(columns[index].name) {
                columns[index].isWriteOnly = true
            }
            entities[path] = Entity(
                path: path, schema: manifest.schema, relation: table, columns: columns,
                keyColumn: rows.string(row, 2) ?? "", ownerColumn: rows.string(row, 3),
                uniqueKeys: relation.uniqueKeys, constraintColumns: relation.constraintColumns,
                isReadOnly: rows.bool(row, 4) ?? false,
                isAppendOnly: rows.bool(row, 5) ?? false, comment: relation.comment)
        }
        let routed = manifest.entities.filter(\.isRouted).compactMap { entities[$0.path] }
        let session = manifest.live.sessions.flatMap { entities[$0.entityPath] }
        if let rule = manifest.live.sessions {
            problems += SessionRuleCheck(
                file: file, rule: rule, entity: session,
                hasOwner: routed.contains { $0.path == manifest.ownerPath }
            ).problems
        }
        problems += PackCompiler.liveProblems(manifest.live, entities: routed, file: file)
        return Resolved(entities: routed, sessionEntity: session, problems: problems)
    }

    private func assemble(_ sources: PackSources, _ resolved: Resolved) -> Pack {
        let manifest = sources.manifest
        let classes = sources.classes
        return Pack(
            name: manifest.name, title: manifest.title, entities: resolved.entities,
            ownerPath: manifest.ownerPath, ownerColumn: manifest.ownerColumn, graph: manifest.graph,
            vectors: classes.isEmpty ? nil : VectorProjection(classes: classes),
            dirtyRules: manifest.dirtyRules, export: manifest.export, live: manifest.live,
            sessionEntity: resolved.sessionEntity, cypher: sources.cypher,
            document: documentText(manifest, sources.document))
    }

    /// The document as the engine's SQL takes it: with the schema, which the file may leave out.
    private func documentText(_ manifest: PackManifest, _ document: JSONDocument) -> [UInt8] {
        let text = document.root.serialized()
        if document.root["schema"] != nil { return text }
        var writer = JSONWriter()
        writer.string(manifest.schema)
        return Array("{\"schema\":".utf8) + writer.bytes + Array(",".utf8) + Array(text.dropFirst())
    }

    private static let problemsStatement = Statement(
        unnamed: "SELECT place, problem FROM fourfold.pack_problems($1::jsonb)")

    private static let entitiesStatement = Statement(
        unnamed: """
            SELECT e.entity, c.relname, e.key_column, e.owner_column, e.is_read_only,
                e.is_append_only, array_to_string(e.write_only, E'\\x01')
            FROM fourfold.pack_entities($1::jsonb) AS e
            JOIN pg_class AS c ON c.oid = e.relation
            """, isReadOnly: true)
}
