internal import JSON
internal import Packs
internal import Runtime
internal import Weaviate

extension WeaviateClient {
    private static let identityClass = "FourfoldStore"
    private static let identityDefinition = """
        {"class":"FourfoldStore","vectorizer":"none",
         "description":"Names this store, so that a gateway notices when it is another one",
         "properties":[{"name":"store","dataType":["text"],"tokenization":"field"},
                       {"name":"lane","dataType":["text"],"tokenization":"field"}]}
        """

    /// A text that was written into the store when a lane first met it. On the loop.
    func storeIdentity(
        lane: String, deadline: Deadline
    ) async throws(WeaviateError) -> String {
        _ = try await ensureClass(
            Array(WeaviateClient.identityDefinition.utf8), deadline: deadline)
        let id = WeaviateClient.identityID(lane)
        if let store = try await readIdentity(id, deadline) { return store }
        var properties = JSONWriter()
        properties.beginObject()
        properties.field("store", String(UInt64.random(in: 0 ... .max), radix: 16))
        properties.field("lane", lane)
        properties.endObject()
        let outcome = try await upsert(
            className: WeaviateClient.identityClass,
            [WeaviateObject(id: id, properties: properties.bytes)], deadline: deadline)
        if let rejection = outcome.first ?? nil { throw .rejected(rejection) }
        // Read back: another process may have written its own at the same time.
        guard let store = try await readIdentity(id, deadline) else { throw .unavailable }
        return store
    }

    /// The text that stands in the store now; nil if there is none.
    func presentIdentity(
        lane: String, deadline: Deadline
    ) async throws(WeaviateError) -> String? {
        try await readIdentity(WeaviateClient.identityID(lane), deadline)
    }

    private func readIdentity(
        _ id: String, _ deadline: Deadline
    ) async throws(WeaviateError) -> String? {
        let found = try await object(
            className: WeaviateClient.identityClass, id: id, deadline: deadline)
        return found?.properties["store"]?.string
    }

    /// A UUID made of the lane's name, the same in every process.
    private static func identityID(_ lane: String) -> String {
        var digits = ""
        for seed in [UInt64(1), 2] {
            var hash: UInt64 = 0xcbf2_9ce4_8422_2325 ^ seed
            for byte in lane.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
            let text = String(hash, radix: 16)
            digits += String(repeating: "0", count: 16 - text.count) + text
        }
        let hex = Array(digits)
        return String(hex[0..<8]) + "-" + String(hex[8..<12]) + "-4" + String(hex[13..<16])
            + "-8" + String(hex[17..<20]) + "-" + String(hex[20..<32])
    }
}
