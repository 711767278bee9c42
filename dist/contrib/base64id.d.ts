export * from "../../types/base64id";
