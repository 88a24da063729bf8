internal import Neo4j

/// The Cypher of one graph lane.
///
/// One static text per label and relationship type: the server's plan cache keys on the text.
/// Every write first locks the lane's fence and goes on only if no later revision was there, so a
/// batch of a leader that was paused, or a request that runs late, is refused as a whole. The dummy
/// property takes the lock; without it the revision would be read before the lock.
package struct CypherStatements: Sendable {
    /// Prefix of every write. Needs `$lane` and `$revision`.
    private static let fence = """
        MATCH (fence:Fence {id: $lane})
        SET fence.`_lock` = true REMOVE fence.`_lock`
        WITH fence WHERE fence.revision <= $revision
        SET fence.revision = $revision
        WITH fence

        """

    private let keyLabel: String

    /// - Throws: When the label cannot be quoted.
    package init(keyLabel: String) throws(CypherIdentifierError) {
        self.keyLabel = try CypherIdentifier.quoted(keyLabel)
    }

    // MARK: The fence

    /// What each lane needs once. Idempotent.
    package var schema: [String] {
        [
            "CREATE CONSTRAINT fourfold_fence IF NOT EXISTS FOR (n:Fence) REQUIRE n.id IS UNIQUE",
            """
            CREATE CONSTRAINT fourfold_key_\(schemaName(keyLabel)) IF NOT EXISTS \
            FOR (n:\(keyLabel)) REQUIRE n.id IS UNIQUE
            """,
        ]
    }

    /// The index by which the edges of an anchor are found.
    package func anchorIndex(type: String) throws(CypherIdentifierError) -> String {
        let quoted = try CypherIdentifier.quoted(type)
        return """
            CREATE INDEX fourfold_anchor_\(schemaName(quoted)) IF NOT EXISTS \
            FOR ()-[r:\(quoted)]-() ON (r.anchor)
            """
    }

    /// The revision before (-1 for a new fence) and the store's identity. The revision becomes
    /// `$revision` if that is higher.
    package var claimFence: String {
        """
        MERGE (fence:Fence {id: $lane})
        ON CREATE SET fence.revision = -1, fence.store = randomUUID()
        SET fence.`_lock` = true REMOVE fence.`_lock`
        WITH fence, fence.revision AS before
        SET fence.revision = CASE WHEN before < $revision THEN $revision ELSE before END
        RETURN before, fence.store AS store
        """
    }

    package var readFence: String {
        "MATCH (fence:Fence {id: $lane}) RETURN fence.revision AS revision, fence.store AS store"
    }

    // MARK: Writes

    /// Rows `{id, owner, properties}`. Returns the number of rows; none if the fence refused.
    package func upsertNodes(_ node: NodeProjection) throws(CypherIdentifierError) -> String {
        let label = try CypherIdentifier.quoted(node.label)
        var text =
            CypherStatements.fence + """
                UNWIND $rows AS row
                MERGE (n:\(keyLabel) {id: row.id})
                SET n = row.properties
                SET n:\(label), n.id = row.id, n.user_id = row.owner, n.revision = $revision, \
                n.applied_at = datetime()
                """
        for property in node.temporalProperties {
            let name = try CypherIdentifier.quoted(property)
            text += ", n.\(name) = datetime(row.properties.\(name))"
        }
        return text + "\nRETURN count(*) AS written"
    }

    /// Rows are keys. Relationships that other tools attached to the nodes go with them.
    package func deleteNodes(label: String) throws(CypherIdentifierError) -> String {
        let label = try CypherIdentifier.quoted(label)
        return CypherStatements.fence + """
            UNWIND $rows AS id
            OPTIONAL MATCH (n:\(keyLabel) {id: id}) WHERE n:\(label)
            DETACH DELETE n
            RETURN count(*) AS written
            """
    }

    /// Rows `{id, anchor, from, to, owner, properties}`; both ends must be there: the number that
    /// is returned is less than that of the rows if one is not.
    package func upsertEdges(
        _ edges: EdgeProjection, type: String
    ) throws(CypherIdentifierError) -> String {
        let quoted = try CypherIdentifier.quoted(type)
        var text =
            CypherStatements.fence + """
                UNWIND $rows AS row
                MATCH (a:\(keyLabel) {id: row.from})
                MATCH (b:\(keyLabel) {id: row.to})
                MERGE (a)-[r:\(quoted) {id: row.id}]->(b)
                SET r = row.properties
                SET r.id = row.id, r.anchor = row.anchor, r.edge_set = $set, \
                r.user_id = row.owner, r.revision = $revision, r.applied_at = datetime()
                """
        for property in edges.temporalProperties {
            let name = try CypherIdentifier.quoted(property)
            text += ", r.\(name) = datetime(row.properties.\(name))"
        }
        return text + "\nRETURN count(*) AS written"
    }

    /// Rows `{anchor, keep}`: removes the set's edges of each anchor that are not kept. An edge is
    /// kept as `key type from to`, joined by U+001F, so one that moved is removed too.
    package func deleteStaleEdges(type: String) throws(CypherIdentifierError) -> String {
        let quoted = try CypherIdentifier.quoted(type)
        return CypherStatements.fence + """
            UNWIND $rows AS row
            OPTIONAL MATCH (a)-[r:\(quoted) {anchor: row.anchor}]->(b)
            WHERE r.edge_set = $set AND NOT r.id + $separator + type(r) + $separator \
            + a.id + $separator + b.id IN row.keep
            DELETE r
            RETURN count(*) AS written
            """
    }

    // MARK: Reads

    /// Rows as of ``upsertEdges(_:type:)``: the keys of ends that are missing.
    package var missingEnds: String {
        """
        UNWIND $rows AS row
        UNWIND [row.from, row.to] AS key
        WITH DISTINCT key
        WHERE NOT EXISTS { MATCH (:\(keyLabel) {id: key}) }
        RETURN key
        """
    }

    /// Keys of one label after `$after`, in the store's order.
    package func nodeKeys(label: String) throws(CypherIdentifierError) -> String {
        let label = try CypherIdentifier.quoted(label)
        return """
            MATCH (n:\(keyLabel)) WHERE n.id > $after
            WITH n ORDER BY n.id LIMIT $limit
            RETURN n.id AS key, n:\(label) AS isOurs
            """
    }

    /// Anchors of one set after `$after`, in the store's order.
    package func edgeAnchors(type: String) throws(CypherIdentifierError) -> String {
        let quoted = try CypherIdentifier.quoted(type)
        return """
            MATCH ()-[r:\(quoted)]->() WHERE r.anchor > $after AND r.edge_set = $set
            WITH DISTINCT r.anchor AS anchor ORDER BY anchor LIMIT $limit
            RETURN anchor
            """
    }

    /// Revision and time of one node.
    package var nodeState: String {
        """
        MATCH (n:\(keyLabel) {id: $key})
        RETURN n.revision AS revision, toString(n.applied_at) AS applied_at
        """
    }

    package static let relationshipTypes =
        "CALL db.relationshipTypes() YIELD relationshipType RETURN relationshipType AS type"

    /// The highest revision that stands on a node of the pack.
    package var highestRevision: String {
        "MATCH (n:\(keyLabel)) RETURN coalesce(max(n.revision), -1) AS revision"
    }

    /// A name for a schema object: letters and digits of the quoted name, then its hash, because
    /// two names may differ only in what is left out.
    private func schemaName(_ quoted: String) -> String {
        let plain = quoted.unicodeScalars.filter { $0.isASCII && $0.properties.isAlphabetic }
        var hash: UInt32 = 2_166_136_261
        for byte in quoted.utf8 { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        return String(String.UnicodeScalarView(plain)).lowercased().prefix(40)
            + "_" + String(hash, radix: 16)
    }
}
