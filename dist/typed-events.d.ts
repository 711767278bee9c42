export * from "../types/typed-events";
