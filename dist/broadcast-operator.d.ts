export * from "../types/broadcast-operator";
