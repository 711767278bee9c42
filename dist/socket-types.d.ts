export * from "../types/socket-types";
