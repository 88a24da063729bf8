import Packs

/// An entity with a column of every kind, and the table behind it.
enum Things {
    static let owner = "00000000-0000-7000-8000-00000000000a"
    static let otherOwner = "00000000-0000-7000-8000-00000000000b"

    static func key(_ number: Int) -> String {
        let digits = String(number)
        return "10000000-0000-7000-8000-" + String(repeating: "0", count: 12 - digits.count)
            + digits
    }

    private static let columns = [
        Column(
            name: "id",
            type: "uuid",
            baseType: "uuid",
            isNotNull: true,
            defaultExpression: "gen_random_uuid()",
            isIndexed: true
        ),
        Column(
            name: "owner_id",
            type: "uuid",
            baseType: "uuid",
            isNotNull: true,
            isIndexed: true
        ),
        Column(
            name: "name",
            type: "character varying(20)",
            baseType: "character varying",
            isNotNull: true
        ),
        Column(name: "note", type: "text", baseType: "text"),
        Column(
            name: "status",
            type: "text",
            baseType: "text",
            isNotNull: true,
            defaultExpression: "'active'::text",
            isIndexed: true
        ),
        Column(
            name: "tags",
            type: "text[]",
            baseType: "text[]",
            isArray: true,
            isNotNull: true,
            defaultExpression: "'{}'::text[]"
        ),
        Column(
            name: "meta",
            type: "jsonb",
            baseType: "jsonb",
            isNotNull: true,
            defaultExpression: "'{}'::jsonb"
        ),
        Column(name: "parts", type: "jsonb[]", baseType: "jsonb[]", isArray: true),
        Column(
            name: "weight",
            type: "double precision",
            baseType: "double precision",
            defaultExpression: "0.5"
        ),
        Column(name: "count", type: "integer", baseType: "integer"),
        Column(name: "is_open", type: "boolean", baseType: "boolean"),
        Column(
            name: "at",
            type: "timestamp with time zone",
            baseType: "timestamp with time zone",
            isNotNull: true,
            defaultExpression: "now()"
        ),
        Column(name: "span", type: "int4range", baseType: "int4range"),
        Column(
            name: "length",
            type: "integer",
            baseType: "integer",
            defaultExpression: "char_length((name)::text)",
            isGenerated: true
        ),
        Column(
            name: "number",
            type: "bigint",
            baseType: "bigint",
            isNotNull: true,
            isGenerated: true
        ),
        Column(name: "secret", type: "text", baseType: "text", isWriteOnly: true),
    ]

    static func entity(schema: String = "things") -> Entity {
        Entity(
            path: "things",
            schema: schema,
            relation: "things",
            columns: columns,
            keyColumn: "id",
            ownerColumn: "owner_id",
            uniqueKeys: [["id"], ["owner_id", "name"]]
        )
    }

    static func ddl(schema: String) -> String {
        """
        CREATE SCHEMA \(schema);
        CREATE TABLE \(schema).things (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            owner_id uuid NOT NULL,
            name varchar(20) NOT NULL,
            note text,
            status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'done')),
            tags text[] NOT NULL DEFAULT '{}',
            meta jsonb NOT NULL DEFAULT '{}',
            parts jsonb[],
            weight float8 DEFAULT 0.5,
            count integer,
            is_open boolean,
            at timestamptz NOT NULL DEFAULT now(),
            span int4range,
            length integer GENERATED ALWAYS AS (char_length(name)) STORED,
            number bigint GENERATED ALWAYS AS IDENTITY,
            secret text,
            UNIQUE (owner_id, name)
        );
        """
    }
}

/// Decoded pairs of a query.
func pairs(_ all: (String, String)...) -> [(name: String, value: String)] {
    all.map { (name: $0.0, value: $0.1) }
}
