package import Packs
internal import Postgres

/// The statements of one entity that are prepared once. Make it once per entity and keep it.
///
/// `owner` is the caller's owner: rows of others are then neither seen nor touched. Nil is a
/// service, which sees all. Where the entity has no owner column it is ignored.
package struct EntityStatements: Sendable {
    package let entity: Entity
    private let getAny: StatementTemplate
    private let getOwned: StatementTemplate
    private let ownerOfRow: StatementTemplate
    private let createOne: StatementTemplate
    private let patchOne: StatementTemplate
    private let putOne: StatementTemplate
    private let replaceOne: StatementTemplate
    private let deleteOne: StatementTemplate

    /// - Parameter pack: For the statements' names.
    package init(_ entity: Entity, pack: String) {
        self.entity = entity
        let sql = EntitySQL(entity)
        let name = "\(pack).\(entity.path)"
        getAny = sql.get("\(name).get", isOwned: false)
        getOwned = sql.get("\(name).get_owned", isOwned: true)
        ownerOfRow = sql.owner("\(name).owner")
        createOne = sql.create("\(name).create")
        patchOne = sql.patch("\(name).patch")
        putOne = sql.put("\(name).put")
        replaceOne = sql.replace("\(name).replace")
        deleteOne = sql.delete("\(name).delete")
    }

    /// Whether a create without a key in the body wants one made (a UUIDv7).
    package var makesKey: Bool { entity.makesKey }

    /// One row or none: JSON text, entity tag without quotes.
    package func get(key: String, owner: String?) -> PlannedQuery {
        (owner == nil || entity.ownerColumn == nil ? getAny : getOwned)
            .bound(.init(key: key, owner: owner))
    }

    /// One row or none: the row's owner, null where the entity has no owners.
    package func owner(key: String, owner: String?) -> PlannedQuery {
        ownerOfRow.bound(.init(key: key, owner: owner))
    }

    /// Inserts one object; columns that it does not name get their defaults.
    ///
    /// - Parameters:
    ///   - body: One JSON object, checked by ``BodyCheck``.
    ///   - madeKey: Used where the body has no key; ignored unless ``makesKey``.
    package func create(body: [UInt8], owner: String?, madeKey: String?) -> PlannedQuery {
        createOne.bound(.init(body: body, owner: owner, madeKey: madeKey))
    }

    /// JSON merge patch of one row: columns that the body names are replaced, in jsonb columns
    /// members are merged (RFC 7386). Read by ``WriteResult``.
    ///
    /// - Parameter etags: `If-Match`; nil for no condition.
    package func patch(
        key: String,
        body: [UInt8],
        owner: String?,
        etags: [String]?
    ) -> PlannedQuery {
        patchOne.bound(.init(key: key, body: body, owner: owner, etags: etags))
    }

    /// Creates the row of this key or replaces it; columns that the body does not name get their
    /// defaults, write-only ones stay. Read by ``WriteResult``.
    ///
    /// - Parameters:
    ///   - etags: `If-Match`: the row must be there with one of them.
    ///   - mustExist: `If-Match: *`: the row must be there.
    ///   - isNew: `If-None-Match: *`: the row must not be there. Goes with neither of the others.
    package func put(
        key: String,
        body: [UInt8],
        owner: String?,
        etags: [String]?,
        mustExist: Bool = false,
        isNew: Bool = false
    ) -> PlannedQuery {
        (mustExist || etags != nil ? replaceOne : putOne)
            .bound(.init(key: key, body: body, owner: owner, etags: etags, isNew: isNew))
    }

    /// Deletes one row. Read by ``WriteResult``; the outcome of a deletion is `changed`.
    package func delete(key: String, owner: String?, etags: [String]?) -> PlannedQuery {
        deleteOne.bound(.init(key: key, owner: owner, etags: etags))
    }
}
