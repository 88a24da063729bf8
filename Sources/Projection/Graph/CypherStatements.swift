package import Neo4j
package import Packs

/// The Cypher of one graph lane.
///
/// One static text for the parts that are written together: the server's plan cache keys on it.
/// Every write first locks the lane's fence and goes on only if no later revision was there, so a
/// batch of a leader that was paused, or a request that runs late, is refused as a whole. The dummy
/// property takes the lock; without it the revision would be read before the lock.
package struct CypherStatements: Sendable {
    /// Prefix of every write. Needs `$p.lane` and `$p.revision`.
    ///
    /// Never planned anew because the store has grown: the write that meets that waits 0.1 to 0.4 s
    /// for it, and what a write looks up has an index, so no other plan is better. A change of the
    /// schema makes a plan void all the same.
    private static let fence = """
        CYPHER replan=skip
        MATCH (fence:Fence {id: $p.lane})
        SET fence.`_lock` = true REMOVE fence.`_lock`
        WITH fence WHERE fence.revision <= $p.revision
        SET fence.revision = $p.revision
        WITH fence

        """

    /// Between the parts of an edge in a `keep` list: U+001F, in no key, type or UUID.
    package static let separator = "\u{1F}"

    private let keyLabel: String

    /// - Throws: When the label cannot be quoted.
    package init(keyLabel: String) throws(CypherIdentifierError) {
        self.keyLabel = try CypherIdentifier.quoted(keyLabel)
    }

    // MARK: The fence

    /// Constraints that the lane's statements rely on. Idempotent.
    package var constraints: [String] {
        [
            "CREATE CONSTRAINT fourfold_fence IF NOT EXISTS FOR (n:Fence) REQUIRE n.id IS UNIQUE",
            """
            CREATE CONSTRAINT fourfold_key_\(schemaName(keyLabel)) IF NOT EXISTS \
            FOR (n:\(keyLabel)) REQUIRE n.id IS UNIQUE
            """,
        ]
    }

    /// The index by which the edges of an anchor are found. Idempotent.
    package func anchorIndex(type: String) throws(CypherIdentifierError) -> String {
        let quoted = try CypherIdentifier.quoted(type)
        return """
            CREATE INDEX fourfold_anchor_\(schemaName(quoted)) IF NOT EXISTS \
            FOR ()-[r:\(quoted)]-() ON (r.anchor)
            """
    }

    /// The store's identity; makes the fence of a lane that has none.
    package static let identifyStore = """
        MERGE (fence:Fence {id: $p.lane})
        ON CREATE SET fence.revision = -1, fence.store = randomUUID()
        RETURN fence.store AS store, fence.revision AS revision
        """

    /// Raises the fence to `$p.revision`; returns the revision before and now.
    package static let claimFence = """
        MATCH (fence:Fence {id: $p.lane})
        SET fence.`_lock` = true REMOVE fence.`_lock`
        WITH fence, fence.revision AS before
        SET fence.revision = CASE WHEN before < $p.revision THEN $p.revision ELSE before END
        RETURN before, fence.revision AS now
        """

    package static let readFence =
        "MATCH (fence:Fence {id: $p.lane}) RETURN fence.revision AS revision, fence.store AS store"

    // MARK: Writes

    /// One statement that writes parts, made by the functions below, in their order. A request
    /// costs Neo4j more than the few rows that it brings, so parts that come together go together.
    ///
    /// Needs `$p.parts`, for each part its `rows` and, for edges, its `set`. Returns the number of
    /// rows of each part that are written, as one list; no row at all if the fence refused.
    package static func write(_ parts: [String]) -> String {
        let calls = parts.enumerated().map { index, part in
            """
            CALL () {
            WITH $p.parts[\(index)] AS part
            \(part)
            RETURN count(*) AS written_\(index)
            }

            """
        }
        let counts = parts.indices.map { "written_\($0)" }.joined(separator: ", ")
        return fence + calls.joined() + "RETURN [\(counts)] AS written"
    }

    /// Rows `{id, owner, properties}`.
    ///
    /// - Parameter labels: All of the pack. An id that was another entity's before keeps none of
    ///   them: the deletion of that entity, which may come later, must not find this node.
    package func upsertNodes(
        _ node: NodeProjection, of labels: [String]
    ) throws(CypherIdentifierError) -> String {
        let label = try CypherIdentifier.quoted(node.label)
        var text = """
            UNWIND part.rows AS row
            MERGE (n:\(keyLabel) {id: row.id})
            SET n = row.properties\(try removal(of: labels, but: node.label))
            SET n:\(label), n.id = row.id, n.user_id = row.owner, n.revision = $p.revision, \
            n.applied_at = datetime()
            """
        for property in node.dateTimeProperties {
            let name = try CypherIdentifier.quoted(property)
            text += ", n.\(name) = datetime(row.properties.\(name))"
        }
        for point in node.points {
            let name = try CypherIdentifier.quoted(point.name)
            let longitude = try CypherIdentifier.quoted(point.longitude)
            let latitude = try CypherIdentifier.quoted(point.latitude)
            text += ", n.\(name) = point({longitude: row.properties.\(longitude), "
            text += "latitude: row.properties.\(latitude)})"
        }
        return text
    }

    private func removal(
        of labels: [String], but kept: String
    ) throws(CypherIdentifierError) -> String {
        var text = ""
        for label in labels where label != kept {
            text += ":" + (try CypherIdentifier.quoted(label))
        }
        return text.isEmpty ? "" : "\nREMOVE n\(text)"
    }

    /// Rows are keys. Relationships that other tools attached to the nodes go with them.
    package func deleteNodes(label: String) throws(CypherIdentifierError) -> String {
        let label = try CypherIdentifier.quoted(label)
        return """
            UNWIND part.rows AS id
            OPTIONAL MATCH (n:\(keyLabel) {id: id}) WHERE n:\(label)
            DETACH DELETE n
            """
    }

    /// Rows `{id, anchor, from, to, owner, properties}`. Both ends must be there: fewer rows are
    /// written than were sent if one is not.
    package func upsertEdges(
        _ set: EdgeSet, type: String
    ) throws(CypherIdentifierError) -> String {
        let quoted = try CypherIdentifier.quoted(type)
        var text = """
            UNWIND part.rows AS row
            MATCH (a:\(keyLabel) {id: row.from})
            MATCH (b:\(keyLabel) {id: row.to})
            MERGE (a)-[r:\(quoted) {id: row.id}]->(b)
            SET r = row.properties
            SET r.id = row.id, r.anchor = row.anchor, r.edge_set = part.set, \
            r.user_id = row.owner, r.revision = $p.revision, r.applied_at = datetime()
            """
        for property in set.dateTimeProperties {
            let name = try CypherIdentifier.quoted(property)
            text += ", r.\(name) = datetime(row.properties.\(name))"
        }
        return text
    }

    /// Rows `{anchor, keep}`; needs `$p.separator` too. Removes the set's edges of each anchor that
    /// are not kept. An edge is kept as key, type, from and to, so one that moved is removed too.
    package func deleteStaleEdges(_ set: EdgeSet) throws(CypherIdentifierError) -> String {
        var branches: [String] = []
        for type in set.types {
            let quoted = try CypherIdentifier.quoted(type)
            branches.append(
                """
                    MATCH (a)-[r:\(quoted) {anchor: row.anchor}]->(b)
                    WHERE r.edge_set = part.set AND NOT r.id + $p.separator + type(r) \
                + $p.separator + a.id + $p.separator + b.id IN row.keep
                    RETURN r
                """)
        }
        return """
            UNWIND part.rows AS row
            CALL (row, part) {
              CALL (row, part) {
            \(branches.joined(separator: "\n    UNION ALL\n"))
              }
              DELETE r
              RETURN count(*) AS removed
            }
            """
    }

    // MARK: Reads

    /// `$p.rows` as of ``upsertEdges(_:type:)``: the keys of ends that are missing.
    package var missingEnds: String {
        """
        UNWIND $p.rows AS row
        UNWIND [row.from, row.to] AS key
        WITH DISTINCT key
        WHERE NOT EXISTS { MATCH (:\(keyLabel) {id: key}) }
        RETURN key
        """
    }

    /// Keys of one label after `$p.after`, in the store's order; `isOurs` is false for nodes of
    /// other labels and of other tools, which only carry the page on.
    package func nodeKeys(label: String) throws(CypherIdentifierError) -> String {
        let label = try CypherIdentifier.quoted(label)
        return """
            MATCH (n:\(keyLabel)) WHERE n.id > $p.after
            WITH n ORDER BY n.id LIMIT $p.limit
            RETURN n.id AS key, n:\(label) AND n.revision IS NOT NULL AS isOurs
            """
    }

    /// Anchors of one set after `$p.after`, in the store's order.
    package func edgeAnchors(type: String) throws(CypherIdentifierError) -> String {
        let quoted = try CypherIdentifier.quoted(type)
        return """
            MATCH ()-[r:\(quoted)]->() WHERE r.anchor > $p.after AND r.edge_set = $p.set
            WITH DISTINCT r.anchor AS anchor ORDER BY anchor LIMIT $p.limit
            RETURN anchor
            """
    }

    /// A row if one of the store's nodes is ours.
    var anyNode: String {
        "MATCH (n:\(keyLabel)) WHERE n.revision IS NOT NULL RETURN 1 AS one LIMIT 1"
    }

    /// Revision and time of the node `$p.key`.
    package var nodeState: String {
        """
        MATCH (n:\(keyLabel) {id: $p.key})
        RETURN n.revision AS revision, toString(n.applied_at) AS applied_at
        """
    }

    /// A name for a schema object: letters of the quoted name, then its hash, because two names
    /// may differ only in what is left out.
    private func schemaName(_ quoted: String) -> String {
        let letters = quoted.unicodeScalars.filter { $0.isASCII && $0.properties.isAlphabetic }
        var hash: UInt32 = 2_166_136_261
        for byte in quoted.utf8 { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        let plain = String(String.UnicodeScalarView(letters)).lowercased().prefix(40)
        return "\(plain)_\(String(hash, radix: 16))"
    }
}
