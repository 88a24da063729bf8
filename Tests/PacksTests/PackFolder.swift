import Glibc
import Packs

/// A folder of packs on disk that lives as long as a test.
final class PackFolder {
    let path: String

    /// - Parameter files: Path below the root to text.
    init(_ files: [String: String]) {
        var template = Array("/tmp/fourfold-packs-XXXXXX".utf8CString)
        path = mkdtemp(&template).map { String(cString: $0) } ?? ""
        precondition(!path.isEmpty, "mkdtemp failed")
        for (file, text) in files { write(file, text) }
    }

    deinit { remove(path) }

    var files: PackFiles { PackFiles(root: path) }

    func write(_ file: String, _ text: String) {
        var folder = path
        for part in file.split(separator: "/").dropLast() {
            folder += "/\(part)"
            mkdir(folder, 0o755)
        }
        let descriptor = open("\(path)/\(file)", O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        let bytes = Array(text.utf8)
        precondition(Glibc.write(descriptor, bytes, bytes.count) == bytes.count, "short write")
        close(descriptor)
    }

    private func remove(_ path: String) {
        for name in TextFile.list(path) ?? [] { remove("\(path)/\(name)") }
        Glibc.remove(path)
    }
}

/// A small pack without mistakes: one table, one label, one class.
enum SmallPack {
    static let manifest = start + dirty + end
    static let manifestWithoutDirty = start + end

    private static let start = """
        {"name": "shop", "owner": {"entity": "owners", "column": "owner_id"},
         "entities": {"owners": {}, "things": {"writeOnly": ["secret"]}},
         "graph": {"keyLabel": "Node",
           "nodes": {"Thing": {"entity": "things", "view": "node_thing",
             "datetime": ["made_at"], "point": {"place": ["lng", "lat"]}}},
           "edges": {"owned": {"anchor": "things", "view": "edge_owned", "types": ["OWNS"]}}},
         "vectors": {"Thing": {"entity": "things", "view": "vector_thing"}},

        """
    private static let dirty = """
        "dirty": [{"on": ["owners"], "of": "things", "keys": \
        "SELECT thing_id FROM changed JOIN shop.things ON owner_id = key::uuid"}],

        """
    private static let end = """
         "export": {"table": "counts", "key": "entity_id", "excludeTypes": ["OWNS"]}}
        """

    static let sql = """
        CREATE SCHEMA shop;
        CREATE TABLE shop.owners (owner_id uuid PRIMARY KEY, name text NOT NULL);
        CREATE TABLE shop.things (
            thing_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            owner_id uuid NOT NULL REFERENCES shop.owners ON DELETE CASCADE,
            name varchar(20) NOT NULL, secret text, tags text[] NOT NULL DEFAULT '{}',
            size int GENERATED ALWAYS AS (length(name)) STORED, UNIQUE (owner_id, name));
        COMMENT ON TABLE shop.things IS 'What is sold';
        CREATE TABLE shop.counts (entity_id uuid PRIMARY KEY, entity_type text,
            degree bigint, by_type jsonb, exported_at timestamptz);
        CREATE VIEW shop.node_thing AS SELECT t.thing_id AS key, t.owner_id AS owner,
            jsonb_build_object('name', t.name, 'owner', o.name) AS properties
            FROM shop.things AS t JOIN shop.owners AS o USING (owner_id);
        CREATE VIEW shop.edge_owned AS SELECT thing_id::text AS key, thing_id AS anchor,
            'OWNS' AS type, owner_id AS from_key, thing_id AS to_key, owner_id AS owner,
            '{}'::jsonb AS properties FROM shop.things;
        CREATE VIEW shop.vector_thing AS SELECT thing_id AS key, owner_id AS owner,
            '{}'::jsonb AS properties, name AS text FROM shop.things;
        """

    static let files = [
        "schemas/shop/pack.json": manifest, "schemas/shop/001_all.sql": sql,
        "cypher/shop/001_schema.cypher":
            "// one\nCREATE CONSTRAINT a IF NOT EXISTS\n  FOR (n:Node) REQUIRE n.id IS UNIQUE;\n"
                + "\nRETURN 1;",
        "weaviate/shop/Thing.json": "{\"class\": \"Thing\", \"vectorizer\": \"none\"}",
    ]
}
