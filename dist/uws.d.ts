export * from "../types/uws";
