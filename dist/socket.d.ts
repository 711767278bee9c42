export * from "../types/socket";
