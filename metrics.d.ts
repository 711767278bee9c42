export * from "./types/metrics";
