// Sends one file to our server, and says how far it is: fetch cannot tell that, an older way can.

import { API, Refused } from "./transport.js";

// Returns { done: promise of {id, name, type, size, kind}, abort }.
export function upload(file, token, onProgress) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.open("POST", new URL("upload", API));
    request.responseType = "json";
    request.setRequestHeader("Authorization", `Bearer ${token}`);
    request.setRequestHeader("X-File-Name", encodeURIComponent(file.name));
    if (file.type) request.setRequestHeader("Content-Type", file.type);
    request.upload.onprogress = ({ loaded, total }) => onProgress(total ? loaded / total : 0);
    request.onload = () => {
      const { status, response } = request;
      if (status === 201 && response) resolve(response);
      else reject(new Refused(status, response?.error ?? "unavailable"));
    };
    request.onerror = () => reject(new Refused(0, "offline"));
    request.onabort = () => reject(new Refused(0, "aborted"));
    request.send(file);
  });
  return { done, abort: () => request.abort() };
}
