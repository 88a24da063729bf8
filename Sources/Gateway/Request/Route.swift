/// What a path means. The names of packs and entities are looked up later.
enum Route: Equatable {
    case live
    case ready
    case collection(pack: String, entity: String)
    case item(pack: String, entity: String, id: String)
    case connections(pack: String, entity: String, id: String)
    case cache(pack: String, entity: String, id: String, name: String)
    case state(pack: String, entity: String, id: String, name: String)
    case entitySync(pack: String, entity: String, id: String)
    /// Rows of another entity that belong to this one.
    case belongings(pack: String, entity: String, id: String, name: String)
    case batch(pack: String)
    case events(pack: String)
    case channel(pack: String, name: String)
    case search(pack: String)
    case syncStatus
    case parkedList
    case parkedItem(id: String)
    case parkedRetry(id: String)

    /// Whether credentials may stand in the query: browsers cannot set headers for these.
    var takesQueryCredentials: Bool {
        if case .events = self { return true }
        return false
    }

    /// - Parameter segments: The decoded segments of the path.
    /// - Returns: nil where nothing is served.
    init?(_ segments: [String]) {
        switch segments.count {
        case 2 where segments[0] == "health":
            switch segments[1] {
            case "live": self = .live
            case "ready": self = .ready
            default: return nil
            }
        case 3... where segments[0] == "v1":
            if segments[1] == "sync" {
                self.init(sync: segments.dropFirst(2))
            } else {
                self.init(inPack: segments)
            }
        default: return nil
        }
    }

    private init?(sync rest: ArraySlice<String>) {
        switch Array(rest) {
        case ["status"]: self = .syncStatus
        case ["parked"]: self = .parkedList
        case let path where path.count == 2 && path[0] == "parked": self = .parkedItem(id: path[1])
        case let path where path.count == 3 && path[0] == "parked" && path[2] == "retry":
            self = .parkedRetry(id: path[1])
        default: return nil
        }
    }

    /// `/v1/{pack}/…`
    private init?(inPack path: [String]) {
        let pack = path[1]
        if pack.isEmpty || path.contains("") { return nil }
        switch (path.count, path[path.count - 1]) {
        case (3, "batch"): self = .batch(pack: pack)
        case (3, "search"): self = .search(pack: pack)
        case (3, "events"): self = .events(pack: pack)
        case (3, _): self = .collection(pack: pack, entity: path[2])
        case (4, let name) where path[2] == "channels": self = .channel(pack: pack, name: name)
        case (4, _): self = .item(pack: pack, entity: path[2], id: path[3])
        case (5, "connections"):
            self = .connections(pack: pack, entity: path[2], id: path[3])
        case (5, "sync"): self = .entitySync(pack: pack, entity: path[2], id: path[3])
        case (6, let name) where path[4] == "cache":
            self = .cache(pack: pack, entity: path[2], id: path[3], name: name)
        case (6, let name) where path[4] == "state":
            self = .state(pack: pack, entity: path[2], id: path[3], name: name)
        case (5, let name):
            self = .belongings(pack: pack, entity: path[2], id: path[3], name: name)
        default: return nil
        }
    }
}
