// Constraints and indexes in the form that Neo4j 4.4, 5 and the calendar releases share.
// Every node carries :Entity, which makes one id unique over all labels.

CREATE CONSTRAINT entity_id IF NOT EXISTS FOR (n:Entity) REQUIRE n.id IS UNIQUE;
CREATE CONSTRAINT fence_id IF NOT EXISTS FOR (f:Fence) REQUIRE f.id IS UNIQUE;

CREATE CONSTRAINT user_id IF NOT EXISTS FOR (n:User) REQUIRE n.id IS UNIQUE;
CREATE CONSTRAINT concept_id IF NOT EXISTS FOR (n:Concept) REQUIRE n.id IS UNIQUE;
CREATE CONSTRAINT memory_unit_id IF NOT EXISTS FOR (n:MemoryUnit) REQUIRE n.id IS UNIQUE;
CREATE CONSTRAINT derived_artifact_id IF NOT EXISTS FOR (n:DerivedArtifact) REQUIRE n.id IS UNIQUE;
CREATE CONSTRAINT tag_id IF NOT EXISTS FOR (n:Tag) REQUIRE n.id IS UNIQUE;
CREATE CONSTRAINT person_id IF NOT EXISTS FOR (n:Person) REQUIRE n.id IS UNIQUE;
CREATE CONSTRAINT location_id IF NOT EXISTS FOR (n:Location) REQUIRE n.id IS UNIQUE;
CREATE CONSTRAINT annotation_id IF NOT EXISTS FOR (n:Annotation) REQUIRE n.id IS UNIQUE;
CREATE CONSTRAINT reflection_id IF NOT EXISTS FOR (n:Reflection) REQUIRE n.id IS UNIQUE;
CREATE CONSTRAINT conversation_id IF NOT EXISTS FOR (n:Conversation) REQUIRE n.id IS UNIQUE;

// Whose: erasing a user, and reading one owner's part of the graph.
CREATE INDEX entity_owner IF NOT EXISTS FOR (n:Entity) ON (n.user_id);
CREATE INDEX entity_created IF NOT EXISTS FOR (n:Entity) ON (n.created_at);
CREATE INDEX memory_occurred IF NOT EXISTS FOR (n:MemoryUnit) ON (n.occurred_at);
CREATE INDEX memory_type IF NOT EXISTS FOR (n:MemoryUnit) ON (n.memory_type);
CREATE INDEX artifact_type IF NOT EXISTS FOR (n:DerivedArtifact) ON (n.artifact_type);
CREATE INDEX concept_name IF NOT EXISTS FOR (n:Concept) ON (n.user_id, n.name);

// An edge set is made equal to its view per anchor, so edges are found by their anchor.
CREATE INDEX related_to_anchor IF NOT EXISTS FOR ()-[r:RELATED_TO]-() ON (r.anchor);
CREATE INDEX part_of_anchor IF NOT EXISTS FOR ()-[r:PART_OF]-() ON (r.anchor);
CREATE INDEX created_anchor IF NOT EXISTS FOR ()-[r:CREATED]-() ON (r.anchor);
CREATE INDEX experienced_anchor IF NOT EXISTS FOR ()-[r:EXPERIENCED]-() ON (r.anchor);
CREATE INDEX references_anchor IF NOT EXISTS FOR ()-[r:REFERENCES]-() ON (r.anchor);
CREATE INDEX evolved_from_anchor IF NOT EXISTS FOR ()-[r:EVOLVED_FROM]-() ON (r.anchor);
CREATE INDEX happened_at_anchor IF NOT EXISTS FOR ()-[r:HAPPENED_AT]-() ON (r.anchor);
CREATE INDEX involves_anchor IF NOT EXISTS FOR ()-[r:INVOLVES]-() ON (r.anchor);
CREATE INDEX tagged_with_anchor IF NOT EXISTS FOR ()-[r:TAGGED_WITH]-() ON (r.anchor);
CREATE INDEX inspired_by_anchor IF NOT EXISTS FOR ()-[r:INSPIRED_BY]-() ON (r.anchor);
CREATE INDEX contradicts_anchor IF NOT EXISTS FOR ()-[r:CONTRADICTS]-() ON (r.anchor);
CREATE INDEX supports_anchor IF NOT EXISTS FOR ()-[r:SUPPORTS]-() ON (r.anchor);
